// The owner decides uniqueness.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "memory", copy, unique)]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
