// A category is its name.
use heavenbase::prelude::*;

#[derive(Category)]
enum Shape {
    Circle(f64),
    #[category(rename = "box")]
    Square,
    #[category(rename = "box")]
    Rectangle,
    #[category(name = "line")]
    Line,
}

#[derive(Category)]
struct Color;

fn main() {}
