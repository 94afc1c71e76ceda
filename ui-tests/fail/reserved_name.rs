// The runtime has names of its own.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    _hb_version: i64,
    #[store(name = "object_id")]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
