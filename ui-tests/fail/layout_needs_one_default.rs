// Which backend owns the rows is said once.
use heavenbase::prelude::*;

#[derive(Layout)]
struct NoDefault {
    main: Sqlite,
    memory: InMem,
}

#[derive(Layout)]
struct Both {
    #[layout(default)]
    main: Sqlite,
    #[layout(default)]
    memory: InMem,
}

#[derive(Layout)]
struct Empty {}

fn main() {}
