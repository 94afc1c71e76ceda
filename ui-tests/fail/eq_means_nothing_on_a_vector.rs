// Vectors are searched, not compared.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::EMBEDDING.eq(None);
}
