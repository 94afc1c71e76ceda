// Part of a number means nothing.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::PRICE.contains("1");
}
