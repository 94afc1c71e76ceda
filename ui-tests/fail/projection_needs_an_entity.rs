// A projection says of what.
use heavenbase::prelude::*;

#[derive(Projection)]
struct Card {
    title: String,
}

#[derive(Projection)]
#[projection(of = String)]
struct Text {
    score: Score,
}

fn main() {}
