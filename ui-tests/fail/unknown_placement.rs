// Placements are a closed list.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(as = Inline)]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
