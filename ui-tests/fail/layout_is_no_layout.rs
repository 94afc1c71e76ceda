// `layout = …` names a struct that derives Layout.
use heavenbase::prelude::*;

struct Shop {
    _main: Sqlite,
}

#[derive(Entity)]
#[entity(layout = Shop)]
struct Thing {
    object_id: Id,
    title: String,
    #[store(to = "main")]
    body: String,
}

fn main() {}
