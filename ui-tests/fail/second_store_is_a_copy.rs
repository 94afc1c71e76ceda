// A field lies in one place.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "memory")]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
