// An order speaks of the query'\''s own entity.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().order_by(Maker::FOUNDED.desc());
}
