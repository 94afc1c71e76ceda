// Only lists have a length to compare.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::TITLE.len().gt(3);
}
