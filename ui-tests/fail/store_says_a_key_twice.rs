// Each key once, each value of its kind.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "main", to = "memory")]
    title: String,
    #[store(to = main)]
    body: String,
    #[store(to)]
    note: String,
    #[store(unique = true)]
    code: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
