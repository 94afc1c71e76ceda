// An attribute says something.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
