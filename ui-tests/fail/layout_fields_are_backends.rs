// A field's type is a kind of backend.
use heavenbase::prelude::*;

#[derive(Layout)]
struct Shop {
    #[layout(default)]
    main: String,
    memory: InMem,
}

fn main() {}
