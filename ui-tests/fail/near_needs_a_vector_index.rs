// Files keep vectors and do not search them.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().near(Product::THUMBNAIL, &[1.0, 0.0, 0.0], 10);
}
