// A scan runs what means something on the type, nothing else.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::PRICE.scan().matches("1");
}
