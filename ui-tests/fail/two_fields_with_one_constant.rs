// A constant a field.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(name = "a")]
    title_: String,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
