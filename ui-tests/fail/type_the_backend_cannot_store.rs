// Files keep lists in a column only.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "files", as = SideTable)]
    tags: Vec<String>,
}

fn main() {
    let _ = Thing::SCHEMA;
}
