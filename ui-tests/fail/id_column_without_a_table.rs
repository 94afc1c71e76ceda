// id_column is of a mapped table.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, id_column = "id")]
struct Thing {
    object_id: Id,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
