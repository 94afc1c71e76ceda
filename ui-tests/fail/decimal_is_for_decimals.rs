// A float is not exact.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[decimal(precision = 12, scale = 2)]
    price: f64,
}

fn main() {
    let _ = Thing::SCHEMA;
}
