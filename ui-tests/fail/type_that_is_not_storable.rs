// u64 does not fit into a signed 64-bit integer.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    count: u64,
}

fn main() {
    let _ = Thing::SCHEMA;
}
