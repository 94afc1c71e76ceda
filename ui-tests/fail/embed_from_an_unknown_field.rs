// The sources are fields of the entity.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    title: String,
    #[compute(embed, from(titel, object_id))]
    #[store(to = "memory")]
    embedding: Option<Vector<3>>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
