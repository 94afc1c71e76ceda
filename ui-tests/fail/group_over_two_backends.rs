// A group lies on one backend.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, index(title, price))]
struct Thing {
    object_id: Id,
    #[store(to = "main")]
    title: String,
    #[store(to = "memory")]
    price: f64,
}

fn main() {
    let _ = Thing::SCHEMA;
}
