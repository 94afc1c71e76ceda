// What is embedded is a vector.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    title: String,
    #[compute(embed, from(title))]
    body: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
