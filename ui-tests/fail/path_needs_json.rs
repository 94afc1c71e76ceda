// Only JSON has paths.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::TITLE.path(["a"]).eq("b");
}
