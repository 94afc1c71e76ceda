// One metric a field.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "memory", metric = "l2")]
    #[store(to = "main", copy, metric = "dot")]
    embedding: Vector<3>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
