// A number does not lie in an inverted index.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(as = InvertedIndex)]
    price: f64,
}

fn main() {
    let _ = Thing::SCHEMA;
}
