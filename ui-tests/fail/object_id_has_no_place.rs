// The id lies everywhere.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    #[store(to = "main")]
    object_id: Id,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
