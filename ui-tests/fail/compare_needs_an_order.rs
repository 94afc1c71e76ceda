// Truth values have no order.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::SOLD.lt(true);
}
