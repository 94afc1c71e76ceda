// The owner decides uniqueness.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, owner = "main")]
struct Thing {
    object_id: Id,
    #[store(to = "memory", unique)]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
