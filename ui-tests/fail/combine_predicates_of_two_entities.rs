// One entity a query.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().filter(Product::PRICE.lt(1.0) & Maker::FOUNDED.gt(1900));
}
