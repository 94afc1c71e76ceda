// Digits after the point are digits.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[decimal(precision = 2, scale = 12)]
    price: Decimal,
    #[decimal(precision = 12)]
    cost: Decimal,
    #[decimal(precision = 40, scale = 2)]
    weight: Decimal,
}

fn main() {
    let _ = Thing::SCHEMA;
}
