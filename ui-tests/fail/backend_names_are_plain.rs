// Lower-case ASCII, at most 24 characters.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "Main")]
    title: String,
    #[store(to = "a_name_of_more_than_24_letters")]
    body: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
