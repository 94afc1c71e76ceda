// A filter speaks of the query'\''s own entity.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().filter(Maker::FOUNDED.gt(1900));
}
