// What is embedded is text.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    price: f64,
    tags: Vec<String>,
    #[compute(embed, from(price, tags))]
    #[store(to = "memory")]
    embedding: Option<Vector<3>>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
