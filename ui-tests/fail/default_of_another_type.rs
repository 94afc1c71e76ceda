// A default is of the field's type.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[default("many")]
    count: i64,
    #[default(3)]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
