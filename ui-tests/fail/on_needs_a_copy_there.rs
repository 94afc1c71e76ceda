// The field has no copy on that backend.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::TITLE.on(Shop::MEMORY).eq("desk");
}
