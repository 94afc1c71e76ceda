// There is no room for a digest in a table that exists already.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, table = "things")]
struct Thing {
    object_id: Id,
    title: String,
    #[compute(embed, from(title))]
    embedding: Option<Vector<3>>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
