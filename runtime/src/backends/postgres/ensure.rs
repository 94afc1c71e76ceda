//! Creating parts, checking them against the manifest, adding columns, dropping.

use sqlx::{Connection, PgConnection};

use super::core::{Core, Held, run};
use super::{codec, existing, failure, vectors, words, write};
use crate::backends::network::failure::Phase;
use crate::backends::sql::manifest::{self, Manifest};
use crate::backends::sql::{Sql, Statement, ddl};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::Value;

/// What the transactions that create and drop hold, one at a time in a database: the bytes of `hbschema`.
const LOCK: i64 = i64::from_be_bytes(*b"hbschema");

async fn execute(core: &Core, connection: &mut PgConnection, statement: &Statement) -> Result<()> {
    rows(core, connection, statement).await.map(drop)
}

pub(super) async fn rows(core: &Core, connection: &mut PgConnection, statement: &Statement) -> Result<Vec<sqlx::postgres::PgRow>> {
    core.waits(Phase::Write, run(connection, statement)).await?.map_err(|cause| failure::error(cause, Phase::Write))
}

pub(super) fn own(text: &str, values: Vec<Value>) -> Statement {
    Statement { text: text.to_owned(), values }
}

async fn is_there(core: &Core, connection: &mut PgConnection, table: &str) -> Result<bool> {
    let text = "SELECT 1::bigint FROM pg_catalog.pg_class c WHERE c.relname::text = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
                AND pg_catalog.pg_table_is_visible(c.oid)";
    Ok(!rows(core, connection, &own(text, vec![Value::Text(table.to_owned())])).await?.is_empty())
}

async fn noted(core: &Core, connection: &mut PgConnection, part: &Part) -> Result<Option<Manifest>> {
    if !is_there(core, connection, manifest::TABLE).await? {
        return Ok(None);
    }
    let found = rows(core, connection, &manifest::read(&core.dialect, part)).await?;
    found.first().map(|row| codec::read_text(row, 0).and_then(|text| Manifest::from_json(&text))).transpose()
}

/// Creates the part, or adds what it lacks: all of it or nothing.
pub(super) async fn ensure(core: &Core, part: &Part) -> Result<Ensured> {
    check(core, part)?;
    let failed = |cause| failure::error(cause, Phase::Write);
    // Whatever comes in between, the connection is closed, and the server undoes what was begun.
    let mut held = Held(None);
    let acquired = held.0.insert(core.pool.acquire().await.map_err(failed)?);
    let mut transaction = core.waits(Phase::Write, acquired.begin()).await?.map_err(failed)?;
    let connection = &mut *transaction;
    if part.is_mapped() {
        let found = existing::ensure(core, connection, part).await?;
        core.waits(Phase::Write, transaction.rollback()).await?.map_err(failed)?;
        held.0.take();
        return Ok(found);
    }
    execute(core, connection, &own("SELECT pg_catalog.pg_advisory_xact_lock($1)", vec![Value::Int(LOCK)])).await?;
    let mut ensured = Ensured::default();
    if part.columns.iter().any(|column| core.dialect.vectors && column.placement == Placement::VectorIndex) {
        extension(core, connection).await?;
    }
    execute(core, connection, &manifest::create(&core.dialect)).await?;
    match noted(core, connection, part).await? {
        None => {
            if is_there(core, connection, &part.table).await? {
                let why = format!(
                    "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
                    part.table
                );
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            execute(core, connection, &ddl::create_table(&core.dialect, part)).await?;
            for column in &part.columns {
                add_words(core, connection, part, column).await?;
            }
            ensured.created = true;
        }
        Some(found) => {
            if !is_there(core, connection, &part.table).await? {
                let why = format!("the table `{}` is gone, although the manifest names it: drop the entity to start anew", part.table);
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            for column in found.additions(part)?.into_iter().filter_map(|i| part.columns.get(i)) {
                execute(core, connection, &ddl::add_column(&core.dialect, part, column)).await?;
                add_words(core, connection, part, column).await?;
                if let Some(fill) = write::fill(core, part, column)? {
                    execute(core, connection, &fill).await?;
                }
                ensured.added.push(column.name.to_owned());
            }
        }
    }
    for group in part.unique_groups() {
        let columns: Vec<&Column> = group.iter().filter_map(|&i| part.columns.get(i)).collect();
        if let Some((name, create)) = core.dialect.unique_constraint(part, &columns) {
            let text = "SELECT 1::bigint FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
                        WHERE k.conname::text = $1 AND pg_catalog.pg_table_is_visible(c.oid)";
            if rows(core, connection, &own(text, vec![Value::Text(name)])).await?.is_empty() {
                execute(core, connection, &create).await?;
            }
        }
    }
    for index in ddl::create_indexes(&core.dialect, part) {
        execute(core, connection, &index).await?;
    }
    for column in part.columns.iter().filter(|_| core.dialect.vectors) {
        if let Some(index) = vectors::create_index(&core.dialect, part, column)? {
            let name = ddl::index_name(&core.dialect, part, &[column], false);
            let text = "SELECT a.amname::text, p.opcname::text, COALESCE(array_to_string(c.reloptions, ' '), '') \
                        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid JOIN pg_catalog.pg_am a ON a.oid = c.relam \
                        JOIN pg_catalog.pg_opclass p ON p.oid = i.indclass[0] \
                        WHERE c.relname::text = $1 AND pg_catalog.pg_table_is_visible(c.oid)";
            match rows(core, connection, &own(text, vec![Value::Text(name.clone())])).await?.first() {
                Some(row) => {
                    let (method, class, options) = (codec::read_text(row, 0)?, codec::read_text(row, 1)?, codec::read_text(row, 2)?);
                    vectors::check_index(part, column, &name, (&method, &class, &options))?;
                }
                None => execute(core, connection, &index).await?,
            }
        }
    }
    if ensured.created || !ensured.added.is_empty() {
        execute(core, connection, &manifest::remove(&core.dialect, part)).await?;
        execute(core, connection, &manifest::note(&core.dialect, part)?).await?;
    }
    core.waits(Phase::Commit, transaction.commit()).await?.map_err(|cause| failure::error(cause, Phase::Commit))?;
    held.0.take();
    Ok(ensured)
}

/// What the entity asks for that can be refused before anything runs.
fn check(core: &Core, part: &Part) -> Result<()> {
    for column in &part.columns {
        if let Some(index) = column.index
            && !(core.dialect.vectors && column.placement == Placement::VectorIndex)
            && (!index.method.is_empty() || !index.parameters.is_empty())
        {
            let why = format!("no index method `{}` on a {} field here: say `index` alone", index.method, column.logical.class());
            return Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name));
        }
    }
    Ok(())
}

async fn extension(core: &Core, connection: &mut PgConnection) -> Result<()> {
    let installed = own("SELECT extversion::text FROM pg_catalog.pg_extension WHERE extname = 'vector'", Vec::new());
    let mut found = rows(core, connection, &installed).await?;
    if found.is_empty() {
        execute(core, connection, &own("CREATE EXTENSION IF NOT EXISTS vector", Vec::new())).await.map_err(|cause| {
            let why = "the database has no extension `vector`, and it could not be created: have its owner run CREATE EXTENSION vector";
            Error::new(ErrorKind::Unsupported, why).caused_by(cause)
        })?;
        found = rows(core, connection, &installed).await?;
    }
    let version = found.first().map(|row| codec::read_text(row, 0)).transpose()?.unwrap_or_default();
    if is_old(&version) {
        let why = format!(
            "pgvector {version} is too old, it ends a filtered search over an index before enough is found: install 0.8 or later and run \
             ALTER EXTENSION vector UPDATE"
        );
        return Err(Error::new(ErrorKind::Unsupported, why));
    }
    Ok(())
}

/// Whether a version of pgvector has no iterative scans. One that cannot be read is believed.
fn is_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < (0, 8))
}

/// The words of a text column, beside it, with their index.
async fn add_words(core: &Core, connection: &mut PgConnection, part: &Part, column: &Column) -> Result<()> {
    if column.placement != Placement::InvertedIndex {
        return Ok(());
    }
    let mut add = Sql::new(&core.dialect);
    add.push("ALTER TABLE ").table(part).push(" ADD COLUMN ").name(&words::name(column)).push(" text[] COLLATE \"C\"");
    execute(core, connection, &add.finish()).await?;
    let mut index = Sql::new(&core.dialect);
    index.push("CREATE INDEX ").name(&ddl::child_name(&core.dialect, part, Some(column), "words")).push(" ON ").table(part);
    index.push(" USING gin (").name(&words::name(column)).push(")");
    execute(core, connection, &index.finish()).await
}

/// Drops the part and what belongs to it. A mapped table stays.
pub(super) async fn drop_part(core: &Core, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    let failed = |cause| failure::error(cause, Phase::Write);
    // Whatever comes in between, the connection is closed, and the server undoes what was begun.
    let mut held = Held(None);
    let acquired = held.0.insert(core.pool.acquire().await.map_err(failed)?);
    let mut transaction = core.waits(Phase::Write, acquired.begin()).await?.map_err(failed)?;
    let connection = &mut *transaction;
    execute(core, connection, &own("SELECT pg_catalog.pg_advisory_xact_lock($1)", vec![Value::Int(LOCK)])).await?;
    let Some(found) = noted(core, connection, part).await? else { return Ok(false) };
    if found.namespace != *part.namespace || found.entity != part.entity.name {
        // Says whose table it is.
        found.additions(part)?;
    }
    execute(core, connection, &ddl::drop_table(&core.dialect, &part.table)).await?;
    execute(core, connection, &manifest::remove(&core.dialect, part)).await?;
    core.waits(Phase::Commit, transaction.commit()).await?.map_err(|cause| failure::error(cause, Phase::Commit))?;
    held.0.take();
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::is_old;

    #[test]
    fn pgvector_before_0_8_is_old() {
        assert!(["0.7.4", "0.5", "0.7.4-dev"].into_iter().all(is_old));
        assert!(!["0.8", "0.8.1", "0.10.0", "1.0", "2", "", "main"].into_iter().any(is_old));
    }
}
