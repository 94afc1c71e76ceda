// SQLite would add decimals as floats.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().aggregate(Product::COST.sum());
}
