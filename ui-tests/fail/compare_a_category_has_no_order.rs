// Categories are names without an order.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _: Predicate<Product> = Product::COLOR.between(Color::Red, Color::Blue);
}
