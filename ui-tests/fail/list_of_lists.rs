// A list holds plain values.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    tags: Vec<Vec<String>>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
