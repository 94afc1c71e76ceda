// Groups name fields.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, index(title, price), unique(name))]
struct Thing {
    object_id: Id,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
