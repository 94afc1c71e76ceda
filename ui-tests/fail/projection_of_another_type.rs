// A projection's field has the type of the entity's.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Product;

#[derive(Projection)]
#[projection(of = Product)]
struct Card {
    object_id: Id,
    title: String,
    price: i64,
    stock: i64,
}

fn main() {}
