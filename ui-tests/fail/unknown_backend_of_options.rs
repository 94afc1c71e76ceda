// What is told options is a backend of the layout.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, options(nope(refresh = "immediate")))]
struct Thing {
    object_id: Id,
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
