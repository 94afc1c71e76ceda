// Memory has no tables that exist already.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, owner = "memory", table = "orders")]
struct Order {
    object_id: Id,
    #[store(to = "memory")]
    total: f64,
}

fn main() {
    let _ = Order::SCHEMA;
}
