// A projection takes fields that the entity has.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Product;

#[derive(Projection)]
#[projection(of = Product)]
struct Card {
    titel: String,
    #[projection(from = prize)]
    price: f64,
}

fn main() {}
