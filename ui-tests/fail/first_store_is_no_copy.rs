// The truth comes first.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "memory", copy)]
    #[store(to = "main", copy)]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
