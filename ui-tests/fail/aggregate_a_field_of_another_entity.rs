// Numbers are over the query's own entity.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new().aggregate((COUNT, Maker::FOUNDED.sum()));
}
