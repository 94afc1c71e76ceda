// u64 does not fit into a signed 64-bit integer.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::STOCK.eq(3u64);
}
