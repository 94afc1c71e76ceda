// One compilation shows every mistake.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, names = "things")]
struct Thing {
    object_id: Id,
    #[store(to = "main", colour = 3, as = Nowhere)]
    title: String,
    #[text(min = 3)]
    body: String,
    #[store(to = "memory", metric = "near")]
    embedding: Vector<3>,
    _hb_x: i64,
    #[id(from(title))]
    note: String,
}

fn main() {
    let _ = Thing::SCHEMA;
}
