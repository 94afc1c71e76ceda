// Lists are not grouped.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().aggregate(Product::TAGS.count_distinct());
}
