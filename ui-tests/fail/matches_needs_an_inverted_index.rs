// SQLite searches words in an inverted index only: `title` is an inline column.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::TITLE.matches("desk");
}
