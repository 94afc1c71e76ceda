// Each search of a hybrid needs its own operation.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().hybrid([near(Product::THUMBNAIL, &[1.0, 0.0, 0.0]), matching(Product::BODY, "desk")], 10);
}
