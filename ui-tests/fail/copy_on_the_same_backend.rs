// A copy is elsewhere.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "main", copy)]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
