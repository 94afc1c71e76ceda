//! Creating parts, checking them against the manifest, adding columns, dropping.

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::connection::Transaction;
use super::dialect::SQL;
use super::write::{self, Child};
use super::{codec, existing, failure, vectors, words};
use crate::backends::sql::manifest::{self, Manifest};
use crate::backends::sql::{Dialect, Statement, ddl};
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};

/// Runs a statement with its values.
fn execute(connection: &Connection, statement: &Statement) -> Result<()> {
    let values = params_from_iter(statement.values.iter().map(codec::to_sql));
    connection.execute(&statement.text, values).map(drop).map_err(failure::error)
}

fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    let text = "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?)";
    connection.query_row(text, [table], |row| row.get(0)).map_err(failure::error)
}

fn noted(connection: &Connection, part: &Part) -> Result<Option<Manifest>> {
    if !is_there(connection, manifest::TABLE)? {
        return Ok(None);
    }
    let statement = manifest::read(&SQL, part);
    let values = params_from_iter(statement.values.iter().map(codec::to_sql));
    let text: Option<String> = connection.query_row(&statement.text, values, |row| row.get(0)).optional().map_err(failure::error)?;
    text.map(|text| Manifest::from_json(&text)).transpose()
}

/// Creates the part, or adds what it lacks.
pub(super) fn run(connection: &Connection, part: &Part) -> Result<Ensured> {
    if part.is_mapped() {
        return existing::ensure(connection, part);
    }
    let transaction = Transaction::begin(connection)?;
    let mut ensured = Ensured::default();
    execute(connection, &manifest::create(&SQL))?;
    match noted(connection, part)? {
        None => {
            if is_there(connection, &part.table)? {
                let why = format!(
                    "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
                    part.table
                );
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            execute(connection, &ddl::create_table(&SQL, part))?;
            for column in &part.columns {
                create_children(connection, part, column)?;
            }
            ensured.created = true;
        }
        Some(found) => {
            if !is_there(connection, &part.table)? {
                let why = format!("the table `{}` is gone, although the manifest names it: drop the entity to start anew", part.table);
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            for column in found.additions(part)?.into_iter().filter_map(|i| part.columns.get(i)) {
                add(connection, part, column)?;
                ensured.added.push(column.name.to_owned());
            }
        }
    }
    for index in ddl::create_indexes(&SQL, part) {
        execute(connection, &index)?;
    }
    if ensured.created || !ensured.added.is_empty() {
        execute(connection, &manifest::remove(&SQL, part))?;
        execute(connection, &manifest::note(&SQL, part)?)?;
    }
    transaction.commit()?;
    Ok(ensured)
}

fn create_children(connection: &Connection, part: &Part, column: &Column) -> Result<()> {
    match Child::of(part, column) {
        Some(Child::Items) => ddl::create_side_table(&SQL, part, column).iter().try_for_each(|statement| execute(connection, statement)),
        Some(Child::Words) => words::create(connection, part, column).map_err(failure::error),
        Some(Child::Vectors) => vectors::create(connection, part, column).map_err(failure::error),
        None => Ok(()),
    }
}

fn add(connection: &Connection, part: &Part, column: &Column) -> Result<()> {
    create_children(connection, part, column)?;
    if !SQL.lies_apart(part, column) {
        execute(connection, &ddl::add_column(&SQL, part, column))?;
        if let Some(fill) = ddl::fill_column(&SQL, part, column) {
            execute(connection, &fill)?;
        }
    }
    match column.default.map(|default| default()) {
        Some(value) if !value.is_null() => write::fill_children(connection, part, column, &value),
        _ => Ok(()),
    }
}

/// Drops the part and what belongs to it. A mapped table stays.
pub(super) fn drop_part(connection: &Connection, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    let transaction = Transaction::begin(connection)?;
    let Some(found) = noted(connection, part)? else { return Ok(false) };
    if found.namespace != *part.namespace || found.entity != part.entity.name {
        // Says whose table it is.
        found.additions(part)?;
    }
    // What was created counts, not what the entity says now.
    for column in &found.columns {
        let Some((_, now)) = part.column(&column.field) else { continue };
        let was = Column { placement: column.placement, physical: column.physical.clone(), ..now.clone() };
        let name = |purpose| ddl::child_name(&SQL, part, Some(&was), purpose);
        let tables = match Child::of(part, &was) {
            Some(Child::Items) => vec![name("items")],
            Some(Child::Words) => <[String; 2]>::from(words::tables(part, &was)).to_vec(),
            Some(Child::Vectors) => vec![name("vectors")],
            None => Vec::new(),
        };
        for table in tables {
            execute(connection, &ddl::drop_table(&SQL, &table))?;
        }
    }
    execute(connection, &ddl::drop_table(&SQL, &part.table))?;
    execute(connection, &manifest::remove(&SQL, part))?;
    transaction.commit()?;
    Ok(true)
}
