//! Making a part, checking it, evolving it, dropping it. What was made is said last, and taken back first.

use std::sync::Arc;

use super::driver::Inner;
use super::shape::{Layout, Row, Shape, Space, spaces_of};
use super::store::Store;
use super::walk::{Parted, Walk};
use crate::capability::Placement;
use crate::driver::{Ensured, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// Makes the part, or checks what is there against it.
pub(super) async fn ensure<S: Store>(inner: &Arc<Inner<S>>, part: &Arc<Part>) -> Result<Ensured> {
    check(inner.store.dialect(), part)?;
    for space in &Shape::of(part, &Layout::new(part)).spaces {
        inner.store.check(space).map_err(|e| at_column(part, space, e))?;
    }
    let turn = inner.turn(&part.table);
    let _turn = turn.lock().await;
    match made(inner, part).await {
        // Another process made it meanwhile: now it is there to be checked.
        Err(error) if error.kind() == ErrorKind::Conflict => made(inner, part).await,
        other => other,
    }
}

async fn made<S: Store>(inner: &Arc<Inner<S>>, part: &Arc<Part>) -> Result<Ensured> {
    let Some((manifest, layout)) = inner.store.manifest(&part.table).await? else {
        let layout = Layout::new(part);
        let shape = Shape::of(part, &layout);
        for space in &shape.spaces[1..] {
            // Of a part that was half made or half dropped.
            inner.store.drop_space(space).await?;
            inner.store.create(space).await?;
        }
        inner.store.declare(&shape, &Manifest::of(part), true).await?;
        inner.note(&part.table, Some(layout));
        return Ok(Ensured { created: true, ..Ensured::default() });
    };
    let additions = manifest.additions(part)?;
    inner.note(&part.table, Some(layout.clone()));
    let shape = Shape::of(part, &layout);
    let is_new = |space: &Space| space.vector.is_some_and(|column| additions.contains(&column));
    for space in shape.spaces.iter().filter(|space| !is_new(space)) {
        inner.store.adjust(space).await.map_err(|e| at_column(part, space, e))?;
    }
    if additions.is_empty() {
        return Ok(Ensured::default());
    }
    evolve(inner, &shape, &additions).await?;
    let added = additions.iter().map(|&i| part.columns[i].name.to_owned()).collect();
    Ok(Ensured { added, ..Ensured::default() })
}

fn at_column(part: &Part, space: &Space, error: Error) -> Error {
    match space.vector {
        Some(column) => error.at_field(part.columns[column].name),
        None => error,
    }
}

/// Gives every row the new columns, then says that they are there. Cut short, it is done again from the start.
async fn evolve<S: Store>(inner: &Arc<Inner<S>>, shape: &Shape, additions: &[usize]) -> Result<()> {
    let part = &shape.part;
    for space in shape.spaces.iter().filter(|space| space.vector.is_some_and(|column| additions.contains(&column))) {
        inner.store.drop_space(space).await?;
        inner.store.create(space).await?;
    }
    let old_columns: Vec<usize> = (0..part.columns.len()).filter(|i| !additions.contains(i)).collect();
    let old = Part { columns: old_columns.iter().map(|&i| part.columns[i].clone()).collect(), ..(**part).clone() };
    let old = Arc::new(old);
    let parted = Parted::of(&old, &Filter::all(), None, inner.store.dialect())?;
    let mut walk = Walk::all(inner.clone(), old, parted, (0..old_columns.len()).collect());
    while let Some(mut page) = walk.next().await? {
        let mut rows = Vec::with_capacity(page.len());
        for at in 0..page.len() {
            let mut values: Vec<Value> =
                part.columns.iter().map(|column| column.default.map_or(Value::Null, |default| default())).collect();
            for (&position, value) in old_columns.iter().zip(page.row_mut(at)) {
                values[position] = value.take();
            }
            rows.push(Row { id: page.ids[at].as_str().to_owned(), version: page.versions[at], values });
        }
        inner.put(shape, &rows).await?;
    }
    inner.store.declare(shape, &Manifest::of(part), false).await
}

/// Drops the part.
pub(super) async fn drop_part<S: Store>(inner: &Arc<Inner<S>>, part: &Arc<Part>) -> Result<bool> {
    let turn = inner.turn(&part.table);
    let _turn = turn.lock().await;
    inner.note(&part.table, None);
    let Some((manifest, layout)) = inner.store.manifest(&part.table).await? else { return Ok(false) };
    if manifest.namespace != *part.namespace || manifest.entity != part.entity.name {
        let why =
            format!("`{}` belongs to the entity `{}` of the namespace `{}`: it stays", part.table, manifest.entity, manifest.namespace);
        return Err(Error::new(ErrorKind::SchemaMismatch, why));
    }
    let spaces = spaces_of(&part.table, &manifest, &layout);
    inner.store.retract(&Shape::of(part, &layout)).await?;
    for space in &spaces {
        inner.store.drop_space(space).await?;
    }
    Ok(true)
}

/// Refuses what cannot work, before anything is made.
fn check(dialect: &super::Dialect, part: &Part) -> Result<()> {
    let service = dialect.service;
    let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why);
    if part.is_mapped() {
        return Err(Error::new(ErrorKind::Unsupported, format!("what exists already cannot be mapped on {service}")));
    }
    for column in part.columns.iter().filter(|c| c.placement != Placement::VectorIndex) {
        if let Some(method) = column.index.map(|index| index.method).filter(|method| !method.is_empty()) {
            return Err(
                invalid(format!("{service} has no index `{method}` for values: say `index` alone, or nothing")).at_field(column.name)
            );
        }
    }
    let groups = part.unique_groups();
    if !groups.is_empty() && !dialect.unique {
        return Err(invalid(format!("{service} cannot decide what is unique: let another backend own the entity")));
    }
    let opaque = |&&c: &&usize| matches!(part.columns[c].logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_));
    match groups.iter().flatten().find(opaque) {
        Some(&c) => Err(invalid(format!("a JSON value, a list or a vector cannot be unique on {service}")).at_field(part.columns[c].name)),
        None => Ok(()),
    }
}
