// An id is derived from fields.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    #[id(from(name))]
    object_id: Id,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
