// A scan runs what means something on the type, nothing else.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().aggregate(Product::TITLE.scan().sum());
}
