// A number has no length.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[text(max = 255)]
    price: f64,
}

fn main() {
    let _ = Thing::SCHEMA;
}
