// The layout has main, memory, files and either.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "nope")]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
