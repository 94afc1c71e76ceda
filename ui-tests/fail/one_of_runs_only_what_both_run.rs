// Memory finds words in an inline column, SQLite does not: OneOf of both does not.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::NOTE.matches("desk");
}
