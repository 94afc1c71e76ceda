// Part of a category means nothing.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::COLOR.icontains("re");
}
