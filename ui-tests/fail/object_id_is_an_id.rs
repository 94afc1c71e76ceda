// The id is of type Id.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: String,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
