//! What can which backend do? The table answers at compile time; the same answers at run time, for tools.
//!
//! `cargo run --example capabilities`

use heavenbase::capability::{self, Operation, op, placement};
use heavenbase::prelude::*;
use heavenbase::presets::Debug;

#[tokio::main]
async fn main() -> heavenbase::Result<()> {
    println!("Who searches vectors?");
    for (backend, support) in capability::backends::<Vector<384>>(op::Near) {
        println!("  {backend:<14} {support:?}");
    }

    println!("Where does SQLite keep a list?  {:?}", capability::strategies::<Vec<String>>("sqlite"));
    println!("Decimal sums on SQLite: {:?}", capability::supports::<Decimal>(op::Sum, placement::InlineColumn, "sqlite"));

    let ws = Workspace::open(Debug::new()).await?;
    println!("This workspace has {:?}.", ws.backends().names());
    for name in ws.backends().names() {
        let native = ws.capabilities().ops::<String>(placement::InlineColumn, name);
        let names: Vec<&str> = native.iter().filter(|(_, s)| *s == capability::Support::Native).map(|(o, _)| o.name()).collect();
        println!("  {name} ({}) on plain text: {}", ws.backends().engine(name).unwrap_or_default(), names.join(", "));
    }

    println!("\nThe whole table:\n{}", capability::matrix::markdown());
    assert!(Operation::ALL.contains(&Operation::Near));
    Ok(())
}
