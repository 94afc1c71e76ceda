// What is chosen when the program starts is one of the kinds named.
use heavenbase::prelude::*;

fn main() {
    let _: OneOf<(InMem, Sqlite)> = OneOf::new(FileStore::dir("files"));
}
