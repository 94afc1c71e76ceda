// The key of a table is of one that exists already.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    #[id(column = "id", as = i64)]
    object_id: Id,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
