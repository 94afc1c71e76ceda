// Files have no vector index: the field says that they only keep it.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "files")]
    embedding: Vector<3>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
