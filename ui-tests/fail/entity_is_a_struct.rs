// Fields have names.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Pair(Id, String);

#[derive(Entity)]
enum Either {
    Left,
    Right,
}

fn main() {}
