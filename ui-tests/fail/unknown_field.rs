// A misspelt field is no constant.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::TITEL.eq("desk");
}
