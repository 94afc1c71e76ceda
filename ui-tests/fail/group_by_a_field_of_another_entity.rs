// Groups are the query's own entity's.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().group_by(Maker::FOUNDED, COUNT);
}
