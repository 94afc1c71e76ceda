// JSON values have no order of their own.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().order_by(Product::PAYLOAD.asc());
}
