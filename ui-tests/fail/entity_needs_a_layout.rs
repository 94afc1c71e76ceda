// An entity lies on the backends of a layout; its constants are there all the same.
use heavenbase::prelude::*;

#[derive(Entity)]
struct Thing {
    object_id: Id,
    #[store(to = "main")]
    title: String,
}

fn main() {
    let _ = Query::<Thing>::new().filter(Thing::TITLE.matches("desk"));
}
