// A reference names an entity.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    maker: Ref<String>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
