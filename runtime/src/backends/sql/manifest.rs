//! The manifest: one table `_hb_manifest` in which a driver notes what it created. `ensure` compares with it.

use super::{Dialect, Sql, Statement};
use crate::capability::Placement;
pub use crate::driver::{Manifest, ManifestColumn};
use crate::error::Result;
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// The manifest's table.
pub const TABLE: &str = "_hb_manifest";

/// Creates the manifest's table.
pub fn create(dialect: &dyn Dialect) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE IF NOT EXISTS ").name(TABLE).push(" (").name("physical").push(" ");
    sql.push_type(&dialect.column_type(&LogicalType::Id, Placement::InlineColumn)).push(" NOT NULL PRIMARY KEY, ");
    sql.name("manifest").push(" ").push_type(&dialect.column_type(&LogicalType::TEXT, Placement::InlineColumn));
    sql.push(" NOT NULL)").push(dialect.table_options());
    sql.finish()
}

/// Reads the manifest of a part: one row with one text, or none.
pub fn read(dialect: &dyn Dialect, part: &Part) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ").name("manifest").push(" FROM ").name(TABLE).push(" WHERE ").name("physical").push(" = ");
    sql.bind(Value::Text(part.table.clone()));
    sql.finish()
}

/// Removes the manifest of a part.
pub fn remove(dialect: &dyn Dialect, part: &Part) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").name(TABLE).push(" WHERE ").name("physical").push(" = ").bind(Value::Text(part.table.clone()));
    sql.finish()
}

/// Notes the manifest of a part; [`remove`] comes before it where one is there.
///
/// # Errors
/// As [`Manifest::to_json`].
pub fn note(dialect: &dyn Dialect, part: &Part) -> Result<Statement> {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO ").name(TABLE).push(" (").name("physical").push(", ").name("manifest").push(") VALUES (");
    sql.bind(Value::Text(part.table.clone())).push(", ").bind(Value::Text(Manifest::of(part).to_json()?)).push(")");
    Ok(sql.finish())
}
