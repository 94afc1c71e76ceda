//! The tables of words and items: how they are created here. All else is in the room that SQL drivers share.

pub(super) use crate::backends::sql::children::{fill, fit, has_child, insert, items, list_test, placeholders, plan, table, words_test};

use super::dialect::{MySqlDialect, SHORT};
use crate::backends::sql::{Dialect, Sql, Statement};
use crate::schema::{Column, Part};

/// Creates a column's table.
pub(super) fn create(dialect: &MySqlDialect, part: &Part, column: &Column) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").name(&table(dialect, part, column)).push(" (`item` VARBINARY(512) NOT NULL, `owner` ");
    sql.push_type(&dialect.short_text(SHORT)).push(" NOT NULL, `position` INT NOT NULL, ");
    sql.push("PRIMARY KEY (`item`, `owner`, `position`), KEY `owner` (`owner`))").push(dialect.server.table_options());
    sql.finish()
}

/// Removes what rows put there; binds their ids.
pub(super) fn clear(dialect: &dyn Dialect, child: &str, rows: usize) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").name(child).push(" WHERE ").name("owner").push(" IN (");
    placeholders(&mut sql, rows);
    sql.push(")");
    sql.finish().text
}
