// index = hnsw(m = 16).
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(index = hnsw(m = "x"))]
    title: String,
    #[store(index(hnsw))]
    body: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
