// A metric is for vectors.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(metric = "cosine")]
    title: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
