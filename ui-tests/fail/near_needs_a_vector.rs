// A text is not near a vector.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().near(Product::TITLE, &[1.0, 0.0, 0.0], 10);
}
