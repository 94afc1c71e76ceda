//! An entity's rows as a Parquet file.

use std::path::Path;

use duckdb::Connection;

use super::dialect::SQL;
use super::failure;
use crate::backends::sql::manifest::{self, Manifest};
use crate::backends::sql::{Sql, quote_with};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ID_COLUMN;

/// Writes the rows of an entity into a file: how many.
pub(super) fn export(connection: &Connection, namespace: &str, entity: &str, path: &Path) -> Result<usize> {
    let Some((table, columns)) = noted(connection, namespace, entity)? else {
        let why = "nothing of the entity is kept in this database under this namespace: register it first";
        return Err(Error::new(ErrorKind::NotRegistered, why).of_entity(entity.to_owned()));
    };
    let Some(target) = path.to_str() else {
        return Err(Error::new(ErrorKind::InvalidQuery, "DuckDB takes the path of a file as Unicode, which this one is not"));
    };
    let mut sql = Sql::new(&SQL);
    sql.push("COPY (SELECT t.").name(ID_COLUMN);
    for (field, physical) in &columns {
        sql.push(", t.").name(physical).push(" AS ").name(field);
    }
    sql.push(" FROM ").name(&table).push(" t ORDER BY t.").name(ID_COLUMN).push(") TO ");
    // A target is no expression, so that it cannot be bound: a string, quotes doubled.
    let mut quoted = String::new();
    quote_with('\'', '\'', target, &mut quoted);
    sql.push_type(&quoted).push(" (FORMAT parquet)");
    connection.execute(&sql.finish().text, []).map_err(|cause| {
        let error = failure::error(cause);
        if error.kind() != ErrorKind::Storage {
            return error.of_entity(entity.to_owned());
        }
        let why = "the file cannot be written: check that its directory exists and is writable";
        Error::new(ErrorKind::Storage, why).with("file", path.display()).of_entity(entity.to_owned())
    })
}

/// The table of an entity, and its fields with their columns, by the manifests of all.
fn noted(connection: &Connection, namespace: &str, entity: &str) -> Result<Option<(String, Vec<(String, String)>)>> {
    let mut sql = Sql::new(&SQL);
    sql.push("SELECT ").name("physical").push(", ").name("manifest").push(" FROM ").name(manifest::TABLE);
    let Ok(mut prepared) = connection.prepare(&sql.finish().text) else { return Ok(None) };
    let found = prepared.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).map_err(failure::error)?;
    for row in found {
        let (table, text) = row.map_err(failure::error)?;
        let manifest = Manifest::from_json(&text)?;
        if manifest.namespace == namespace && manifest.entity == entity {
            let columns = manifest.columns.into_iter().map(|column| (column.field, column.physical)).collect();
            return Ok(Some((table, columns)));
        }
    }
    Ok(None)
}
