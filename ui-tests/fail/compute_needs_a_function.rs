// A path to a function, or `embed` with its sources.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[compute]
    length: i64,
    #[compute("length")]
    size: i64,
}

fn main() {
    let _ = Thing::SCHEMA;
}
