// A query gives projections of its own entity.
use heavenbase::prelude::*;
use heavenbase_ui_tests::{Maker, Product};

#[derive(Projection)]
#[projection(of = Maker)]
struct Card {
    title: String,
}

fn main() {
    let _ = Query::<Product>::new().select_as::<Card>();
}
