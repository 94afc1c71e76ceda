// Text has no sum.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().aggregate(Product::TITLE.sum());
}
