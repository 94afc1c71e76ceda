// A newtype is stored as what it holds.
use heavenbase::prelude::*;

#[derive(Logical)]
struct Point(f64, f64);

#[derive(Logical)]
enum Color {
    Red,
}

fn main() {}
