// Only metrics that mean the same everywhere.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "memory", metric = "cosinus")]
    embedding: Vector<3>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
