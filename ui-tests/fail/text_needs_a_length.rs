// A length is a number above zero.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[text]
    title: String,
    #[text(max = 0)]
    body: String,
    #[text(length = 3)]
    note: String,
    #[text()]
    code: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
