// What cannot be in a list cannot be there in a newtype either.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Logical)]
struct Settings(Json);

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    settings: Vec<Settings>,
}

fn main() {}
