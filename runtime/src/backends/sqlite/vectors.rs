//! Vectors lie in a table of their own, in the order in which they were written, not in the row.
//!
//! In the row they would stand between any two values that a filter looks at. Measured with 10,000 rows of 768 numbers:
//! a filter over the rows 0.5 ms instead of 3 to 50, a row by id 1.1 µs instead of 15 to 36, a search no slower.

use rusqlite::Connection;

use super::dialect::SQL;
use crate::backends::sql::Sql;
use crate::backends::sql::ddl::child_name;
use crate::schema::{Column, Part};
use crate::types::Value;

/// Creates the table of a column's vectors.
pub(super) fn create(connection: &Connection, part: &Part, column: &Column) -> rusqlite::Result<()> {
    let mut sql = Sql::new(&SQL);
    sql.push("CREATE TABLE IF NOT EXISTS ").name(&child_name(&SQL, part, Some(column), "vectors")).push(" (");
    sql.name("owner").push(" TEXT NOT NULL UNIQUE, ").name("vector").push(" BLOB NOT NULL) STRICT");
    connection.execute(&sql.finish().text, []).map(drop)
}

/// Writes a vector, new or in the place of another. Binds: id, vector.
pub(super) fn put(table: &str) -> String {
    let mut sql = Sql::new(&SQL);
    sql.push("INSERT INTO ").name(table).push(" (").name("owner").push(", ").name("vector").push(") VALUES (");
    sql.bind(Value::Null).push(", ").bind(Value::Null).push(") ON CONFLICT (").name("owner").push(") DO UPDATE SET ");
    sql.name("vector").push(" = excluded.").name("vector");
    sql.finish().text
}
