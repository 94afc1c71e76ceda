//! A workspace with the rows in it.

use std::sync::Arc;

use heavenbase::prelude::*;
use heavenbase::query::Writable;
use heavenbase::schema::{Binding, Part, Routing};

use crate::Failed;

/// What lies of an entity on a backend.
pub fn part_of<E: Entity>(ws: &Workspace<E::Layout>, backend: &str) -> Result<Arc<Part>, Failed> {
    let named = ["main", "vectors", "words"].into_iter();
    let bindings = named.filter_map(|name| {
        let driver = ws.driver(name)?;
        Some(Binding { name, kind: driver.description().kind, driver })
    });
    let bindings: Vec<Binding> = bindings.collect();
    let routing = Routing::new(E::SCHEMA, &"bench".into(), bindings[0].name, &bindings)?;
    Ok(routing.parts.iter().find(|part| part.backend == backend).ok_or("no part")?.clone())
}

/// A workspace of a layout with so many rows of one entity, and no others of it.
pub async fn filled<L: Layout, E: Writable + Entity<Layout = L>>(
    layout: L,
    rows: usize,
    row: impl Fn(usize) -> Result<E, Failed>,
) -> Result<Workspace<L>, Failed> {
    let ws = Workspace::open_as("bench", layout).await?;
    ws.register::<E>().await?;
    ws.drop::<E>().await?;
    ws.register::<E>().await?;
    for start in (0..rows).step_by(2_000) {
        let chunk: Vec<E> = (start..rows.min(start + 2_000)).map(&row).collect::<Result<_, _>>()?;
        ws.upsert_many(&chunk).await?;
    }
    ws.refresh::<E>().await?;
    Ok(ws)
}
