// Two fields in one column.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    title: String,
    #[store(name = "title")]
    label: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
