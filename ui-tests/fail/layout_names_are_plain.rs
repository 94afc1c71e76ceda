// Names of backends are lower-case ASCII of at most 24 characters; attributes are known.
use heavenbase::prelude::*;

#[derive(Layout)]
#[allow(non_snake_case)]
struct Shop {
    #[layout(default)]
    main: Sqlite,
    Vectors: InMem,
    a_name_of_more_than_24_letters: InMem,
    größe: InMem,
    #[layout(owner)]
    other: InMem,
}

#[derive(Layout)]
struct Tuple(Sqlite);

fn main() {}
