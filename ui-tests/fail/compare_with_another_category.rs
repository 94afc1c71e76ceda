// A category is compared with its own variants.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::COLOR.eq("Red");
}
