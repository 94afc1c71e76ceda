// The field has 3 numbers.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().near(Product::EMBEDDING, &[1.0, 0.0], 10);
}
