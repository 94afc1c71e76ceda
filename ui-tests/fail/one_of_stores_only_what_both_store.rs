// Memory has no side tables, so memory-or-SQLite has none.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    #[store(to = "either", as = SideTable)]
    tags: Vec<String>,
}

fn main() {}
