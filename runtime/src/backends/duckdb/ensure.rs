//! Creating parts, checking them against the manifest, adding columns, dropping.

use duckdb::Connection;

use super::bind::Parameter;
use super::dialect::SQL;
use super::instance::Transaction;
use super::{bind, failure, words};
use crate::backends::sql::manifest::{self, Manifest};
use crate::backends::sql::{Sql, Statement, ddl};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};

/// Runs a statement with its values.
fn execute(connection: &Connection, statement: &Statement) -> Result<()> {
    let values = duckdb::params_from_iter(statement.values.iter().map(Parameter));
    connection.execute(&statement.text, values).map(drop).map_err(failure::error)
}

fn is_there(connection: &Connection, table: &str) -> Result<bool> {
    let text = "SELECT count(*) FROM information_schema.tables WHERE table_catalog = current_database() \
                AND table_schema = current_schema() AND lower(table_name) = lower(?)";
    connection.query_row(text, [table], |row| row.get::<_, i64>(0)).map(|count| count > 0).map_err(failure::error)
}

fn noted(connection: &Connection, part: &Part) -> Result<Option<Manifest>> {
    if !is_there(connection, manifest::TABLE)? {
        return Ok(None);
    }
    let statement = manifest::read(&SQL, part);
    let values = duckdb::params_from_iter(statement.values.iter().map(Parameter));
    match connection.query_row(&statement.text, values, |row| row.get::<_, String>(0)) {
        Ok(text) => Manifest::from_json(&text).map(Some),
        Err(duckdb::Error::QueryReturnedNoRows) => Ok(None),
        Err(cause) => Err(failure::error(cause)),
    }
}

/// Creates the part, or adds what it lacks: all of it or nothing.
pub(super) fn run(connection: &Connection, part: &Part) -> Result<Ensured> {
    check(part)?;
    if part.is_mapped() {
        return super::existing::check(connection, part);
    }
    let transaction = Transaction::begin(connection)?;
    let mut ensured = Ensured::default();
    let mismatch = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    execute(connection, &manifest::create(&SQL))?;
    match noted(connection, part)? {
        None => {
            if is_there(connection, &part.table)? {
                return Err(mismatch(format!(
                    "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
                    part.table
                )));
            }
            execute(connection, &ddl::create_table(&SQL, part))?;
            for column in &part.columns {
                add_words(connection, part, column)?;
            }
            ensured.created = true;
        }
        Some(found) => {
            if !is_there(connection, &part.table)? {
                let table = &part.table;
                return Err(mismatch(format!(
                    "the table `{table}` is gone, although the manifest names it: drop the entity to start anew"
                )));
            }
            // All are added before the first is filled: DuckDB alters no table whose rows the transaction changed.
            let added: Vec<&Column> = found.additions(part)?.into_iter().filter_map(|i| part.columns.get(i)).collect();
            for column in &added {
                execute(connection, &ddl::add_column(&SQL, part, column))?;
                add_words(connection, part, column)?;
            }
            for fill in added.iter().filter_map(|column| fill(part, column)) {
                execute(connection, &fill)?;
            }
            ensured.added = added.iter().map(|column| column.name.to_owned()).collect();
        }
    }
    if ensured.created || !ensured.added.is_empty() {
        execute(connection, &manifest::remove(&SQL, part))?;
        execute(connection, &manifest::note(&SQL, part)?)?;
    }
    transaction.commit()?;
    // Apart: DuckDB makes no index over rows that the same transaction changed. One that a crash left out comes next time.
    for index in ddl::create_indexes(&SQL, part) {
        execute(connection, &index)?;
    }
    Ok(ensured)
}

/// What the entity asks for that can be refused before anything runs.
fn check(part: &Part) -> Result<()> {
    for column in &part.columns {
        if let Some(index) = column.index
            && (!index.method.is_empty() || !index.parameters.is_empty())
        {
            let why = format!("no index method `{}` on a {} field here: say `index` alone", index.method, column.logical.class());
            return Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name));
        }
    }
    Ok(())
}

/// The words of a text column, beside it.
fn add_words(connection: &Connection, part: &Part, column: &Column) -> Result<()> {
    if column.placement != Placement::InvertedIndex {
        return Ok(());
    }
    let mut add = Sql::new(&SQL);
    add.push("ALTER TABLE ").table(part).push(" ADD COLUMN ").name(&words::name(column)).push(" VARCHAR");
    execute(connection, &add.finish())
}

/// Gives rows written before a column existed its default, and their words.
fn fill(part: &Part, column: &Column) -> Option<Statement> {
    let value = column.default.map(|default| default()).filter(|value| !value.is_null())?;
    let mut sql = Sql::new(&SQL);
    sql.push("UPDATE ").table(part).push(" SET ").name(&column.physical).push(" = ");
    let words = words::of(&value);
    let (before, after) = bind::written(&column.logical);
    sql.push(before).bind(value).push_type(&after);
    if column.placement == Placement::InvertedIndex {
        sql.push(", ").name(&words::name(column)).push(" = ").bind(words);
    }
    sql.push(" WHERE ").name(&column.physical).push(" IS NULL");
    Some(sql.finish())
}

/// Drops the part and what belongs to it. A table that exists already stays.
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
    execute(connection, &ddl::drop_table(&SQL, &part.table))?;
    execute(connection, &manifest::remove(&SQL, part))?;
    transaction.commit()?;
    Ok(true)
}
