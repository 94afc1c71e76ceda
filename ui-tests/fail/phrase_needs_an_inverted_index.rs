// SQLite searches words in an inverted index only.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::TITLE.phrase("oak desk");
}
