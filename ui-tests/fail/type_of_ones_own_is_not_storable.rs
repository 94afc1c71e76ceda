// A type of one's own derives Category or Logical.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    place: Option<Place>,
}

struct Place;

fn main() {
    let _ = Thing::SCHEMA;
}
