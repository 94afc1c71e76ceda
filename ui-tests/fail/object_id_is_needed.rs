// Every entity has an id.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
