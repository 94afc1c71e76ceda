//! Creating parts, checking them against the manifest, adding columns, dropping. The manifest is the table's comment: it
//! comes and goes with the table, in one statement.

use std::time::Instant;

use super::client::Intent;
use super::core::Core;
use super::write::WRITTEN;
use super::{decode, existing, failure};
use crate::backends::sql::shadow::Shadow;
use crate::backends::sql::{Sql, Term, ddl};
use crate::capability::Placement;
use crate::driver::{Ensured, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, Part, VERSION_COLUMN};
use crate::types::{LogicalType, Value};

/// What is there under a part's name.
enum Found {
    Nothing,
    /// A table of ours.
    Ours(Manifest),
    /// Somebody else's.
    Foreign,
}

/// Creates the part, or adds what it lacks.
pub(super) async fn ensure(core: &Core, part: &Part) -> Result<Ensured> {
    let deadline = core.http.deadline();
    check(core, part)?;
    if part.is_mapped() {
        return mapped(core, part, deadline).await;
    }
    // Twice: somebody else may create it between the look and the statement.
    for _ in 0..2 {
        match find(core, part, deadline).await? {
            Found::Ours(manifest) => return evolve(core, part, &manifest, deadline).await,
            Found::Foreign => break,
            Found::Nothing => match core.run(&create(core, part)?, Intent::Writes, deadline).await {
                Ok(_) => return Ok(Ensured { created: true, ..Ensured::default() }),
                Err(failed) if failed.code == failure::TABLE_THERE => {}
                Err(failed) => return Err(failed.error.of_entity(part.entity.name)),
            },
        }
    }
    let why = format!(
        "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
        part.table
    );
    Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name))
}

/// What the entity asks for that can be refused before anything runs.
fn check(core: &Core, part: &Part) -> Result<()> {
    let refuse = |why: String| Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name);
    let only_read = part.is_mapped() && part.entity.read_only;
    if !(core.writable || only_read) {
        let why = "tables over this connection are only read: say #[entity(table = …, read_only)]";
        return Err(refuse(why.to_owned()));
    }
    ddl::refuse_keys(part, "Trino")
}

async fn find(core: &Core, part: &Part, deadline: Instant) -> Result<Found> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT comment FROM system.metadata.table_comments WHERE catalog_name = ").bind(Value::Text(core.catalog.clone()));
    sql.push(" AND schema_name = ").bind(Value::Text(core.schema.clone()));
    sql.push(" AND table_name = ").bind(Value::Text(part.table.clone()));
    let mut rows = core.rows(&sql.finish().text, deadline).await?;
    let Some(cell) = rows.first_mut().and_then(|row| row.first_mut()) else { return Ok(Found::Nothing) };
    let manifest = decode::text(cell).ok().and_then(|text| Manifest::from_json(&text).ok());
    Ok(manifest.map_or(Found::Foreign, Found::Ours))
}

/// Whether the data files can have a Bloom filter of a column.
fn has_filter(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) | LogicalType::Int { .. })
}

/// The columns whose index is a Bloom filter.
fn filtered(part: &Part) -> Vec<&str> {
    let grouped = part.index_groups();
    let indexed = |(position, column): &(usize, &Column)| {
        (column.index.is_some() || grouped.iter().any(|group| group.contains(position))) && has_filter(&column.logical)
    };
    let mut names = vec![part.id_column()];
    names.extend(part.columns.iter().enumerate().filter(indexed).map(|(_, column)| column.physical.as_str()));
    names
}

fn filters(sql: &mut Sql<'_>, part: &Part) {
    sql.push("parquet_bloom_filter_columns = ");
    sql.bind(Value::List(filtered(part).into_iter().map(|name| Value::Text(name.to_owned())).collect()));
}

fn create(core: &Core, part: &Part) -> Result<String> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("CREATE TABLE ").table(part).push(" (").name(part.id_column()).push(" varchar NOT NULL, ");
    sql.name(VERSION_COLUMN).push(" bigint NOT NULL, ").name(WRITTEN).push(" varchar");
    for column in ddl::storage_order(part) {
        sql.push(", ").name(&column.physical).push(" ").push_type(&core.dialect.type_of(&column.logical));
        if !column.nullable {
            sql.push(" NOT NULL");
        }
        if let Some(shadow) = Shadow::of(part, column) {
            sql.push(", ").name(&shadow.name(column)).push(" ").push_type(&core.dialect.type_of(&shadow.logical()));
        }
    }
    sql.push(") COMMENT ").bind(Value::Text(Manifest::of(part).to_json()?));
    sql.push(" WITH (format = 'PARQUET', format_version = 2, ");
    filters(&mut sql, part);
    sql.push(")");
    Ok(sql.finish().text)
}

/// Adds new columns. Each step may be repeated; the comment that says they are there comes last.
async fn evolve(core: &Core, part: &Part, manifest: &Manifest, deadline: Instant) -> Result<Ensured> {
    let additions: Vec<&Column> = manifest.additions(part)?.into_iter().filter_map(|i| part.columns.get(i)).collect();
    let mut ensured = Ensured::default();
    if additions.is_empty() {
        return Ok(ensured);
    }
    let mut statements = Vec::new();
    let mut add = |name: &str, logical: &LogicalType| {
        let mut sql = Sql::new(&core.dialect);
        sql.push("ALTER TABLE ").table(part).push(" ADD COLUMN IF NOT EXISTS ").name(name).push(" ");
        sql.push_type(&core.dialect.type_of(logical));
        statements.push(sql.finish().text);
    };
    for column in &additions {
        add(&column.physical, &column.logical);
        if let Some(shadow) = Shadow::of(part, column) {
            add(&shadow.name(column), &shadow.logical());
        }
        ensured.added.push(column.name.to_owned());
    }
    statements.extend(fill(core, part, &additions));
    if additions.iter().any(|column| column.index.is_some() && has_filter(&column.logical)) {
        let mut sql = Sql::new(&core.dialect);
        sql.push("ALTER TABLE ").table(part).push(" SET PROPERTIES ");
        filters(&mut sql, part);
        statements.push(sql.finish().text);
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("COMMENT ON TABLE ").table(part).push(" IS ").bind(Value::Text(Manifest::of(part).to_json()?));
    statements.push(sql.finish().text);
    for text in statements {
        core.run(&text, Intent::Writes, deadline).await.map_err(|failed| failed.error.of_entity(part.entity.name))?;
    }
    Ok(ensured)
}

/// Gives rows written before the columns existed their defaults, in one statement.
fn fill(core: &Core, part: &Part, additions: &[&Column]) -> Option<String> {
    let mut values: Vec<(String, LogicalType, Value)> = Vec::new();
    for column in additions {
        let Some(value) = column.default.map(|default| default()).filter(|value| !value.is_null()) else { continue };
        if let Some(shadow) = Shadow::of(part, column) {
            values.push((shadow.name(column), shadow.logical(), shadow.value(&value)));
        }
        values.push((column.physical.clone(), column.logical, value));
    }
    if values.is_empty() {
        return None;
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("UPDATE ").table(part).push(" SET ");
    for (i, (name, logical, value)) in values.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" }).name(name).push(" = COALESCE(").name(name).push(", CAST(").bind(value.clone());
        sql.push(" AS ").push_type(&core.dialect.type_of(logical)).push("))");
    }
    Some(sql.finish().text)
}

/// A table that exists already: its columns must be there and hold what the entity says. It is left as it is.
async fn mapped(core: &Core, part: &Part, deadline: Instant) -> Result<Ensured> {
    let refuse = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    let path: Vec<String> = part.path().map(str::to_lowercase).collect();
    let (catalog, schema, table) = match path.as_slice() {
        [table] => (&core.catalog, &core.schema, table),
        [schema, table] => (&core.catalog, schema, table),
        [catalog, schema, table] => (catalog, schema, table),
        _ => return Err(refuse(format!("`{}` is no table: Trino has catalog.schema.table", part.table))),
    };
    if core.writable && catalog != &core.catalog && !part.entity.read_only {
        let why = format!("`{}` lies in another catalog than the connection, of which nothing is known: say read_only", part.table);
        return Err(refuse(why));
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT column_name, data_type, is_nullable FROM ").name(catalog);
    sql.push(".information_schema.columns WHERE table_schema = ").bind(Value::Text(schema.clone()));
    sql.push(" AND table_name = ").bind(Value::Text(table.clone()));
    let mut rows = core.rows(&sql.finish().text, deadline).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &mut rows {
        let [name, kind, nullable] = row.as_mut_slice() else { continue };
        found.push((decode::text(name)?, decode::text(kind)?, decode::text(nullable)? != "NO"));
    }
    if found.is_empty() {
        return Err(refuse(format!("the table `{}` that the entity maps is not there", part.table)));
    }
    let column = |name: &str, logical: &LogicalType| {
        let there = found.iter().find(|(there, ..)| *there == name.to_lowercase());
        let (_, kind, nullable) = there.ok_or_else(|| refuse(format!("the table `{}` has no column `{name}`", part.table)))?;
        if !existing::holds(kind, logical, part.entity.read_only) {
            let wanted = core.dialect.type_of(logical);
            let why = format!(
                "the column `{name}` is of type {kind}, the entity says {logical}, which is {wanted}: change the field, or map a view that casts"
            );
            return Err(refuse(why));
        }
        Ok(*nullable)
    };
    column(part.id_column(), &part.key().kind.logical()).map_err(|e| e.at_field(ID_COLUMN))?;
    for asked in &part.columns {
        let nullable = column(&asked.physical, &asked.logical).map_err(|e| e.at_field(asked.name))?;
        if asked.nullable && !nullable && !part.entity.read_only {
            let why = format!("the column `{}` takes no null, the field is optional", asked.physical);
            return Err(refuse(why).at_field(asked.name));
        }
        if asked.placement == Placement::InvertedIndex {
            let why = "a mapped table has no column for words: store the field as InlineColumn".to_owned();
            return Err(refuse(why).at_field(asked.name));
        }
    }
    if !part.entity.read_only {
        repeated(core, part, deadline).await?;
    }
    Ok(Ensured::default())
}

/// Nothing there keeps a key unique, so the rows themselves are asked before any is written by its key.
async fn repeated(core: &Core, part: &Part, deadline: Instant) -> Result<()> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT 1 FROM ").table(part).push(" t GROUP BY ");
    Term::key(part).write_column(&mut sql);
    sql.push(" HAVING COUNT(*) > 1 OR COUNT(");
    Term::key(part).write_column(&mut sql);
    sql.push(") = 0 LIMIT 1");
    if core.rows(&sql.finish().text, deadline).await?.is_empty() {
        return Ok(());
    }
    let why = format!("the column `{}` of `{}` holds a value twice, or a null: it is no key", part.id_column(), part.table);
    Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(ID_COLUMN))
}

/// Drops the part. A mapped table stays.
pub(super) async fn drop_part(core: &Core, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    let deadline = core.http.deadline();
    match find(core, part, deadline).await? {
        Found::Nothing => return Ok(false),
        Found::Foreign => {
            let why = format!("the table `{}` was not created by HeavenBase, and stays", part.table);
            return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
        }
        Found::Ours(found) if found.namespace != *part.namespace || found.entity != part.entity.name => {
            // Says whose table it is.
            found.additions(part)?;
        }
        Found::Ours(_) => {}
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("DROP TABLE IF EXISTS ").table(part);
    core.run(&sql.finish().text, Intent::Writes, deadline).await.map_err(|failed| failed.error.of_entity(part.entity.name))?;
    core.turns.lock().remove(&part.table);
    Ok(true)
}
