// A search for text needs what a filter for text needs.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().matching(Product::TITLE, "desk", 10);
}
