// A vector that nothing embeds is searched by a vector.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().near_text(Product::EMBEDDING, "a desk", 10);
    let _ = Query::<Product>::new().hybrid([near_text(Product::EMBEDDING, "a desk")], 10);
}
