// A computed value is of the field's type.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[compute(length)]
    length: i64,
}

fn length(_: &Thing) -> String {
    String::new()
}

fn main() {
    let _ = Thing::SCHEMA;
}
