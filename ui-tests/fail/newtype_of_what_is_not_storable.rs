// A newtype is stored as what it holds.
use heavenbase::prelude::*;

#[derive(Logical)]
struct Count(u64);

fn main() {}
