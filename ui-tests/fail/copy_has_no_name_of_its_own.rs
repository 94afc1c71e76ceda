// One name in storage.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "memory", copy, name = "t")]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
