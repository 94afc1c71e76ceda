// An embedding follows from something.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    title: String,
    #[compute(embed)]
    #[store(to = "memory")]
    embedding: Option<Vector<3>>,
    #[compute(embed, from())]
    #[store(to = "memory")]
    other: Option<Vector<3>>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
