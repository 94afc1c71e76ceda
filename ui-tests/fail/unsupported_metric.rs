// Files rank by no metric.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "files", as = InlineColumn, metric = "cosine")]
    embedding: Vector<3>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
