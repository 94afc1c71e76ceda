//! Statements of the application's own. The server says which types a statement gives; which its placeholders take the
//! protocol does not say, so values travel as the driver stores them.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Column, Either, Executor, Row, SqlSafeStr, Statement, TypeInfo};

use super::codec::Cells;
use super::core::Core;
use super::{codec, failure};
use crate::backends::network::failure::Phase;
use crate::backends::sql::Dialect;
use crate::driver::{RawAnswer, RawColumn, RawStatement};
use crate::error::{Error, Result};
use crate::types::{LogicalType, Value};

/// The server's number for "this statement cannot be prepared".
const NOT_PREPARED: u16 = 1295;

/// Runs a statement on one connection, as a transaction of its own. It is never run twice.
pub(super) async fn run(core: &Core, statement: &RawStatement) -> Result<RawAnswer> {
    let failed = |cause| failure::error(cause, Phase::Write);
    let mut work = core.work().await.map_err(failed)?;
    let answer = answer(core, work.connection().map_err(failed)?, statement).await;
    work.done();
    answer
}

async fn answer(core: &Core, connection: &mut MySqlConnection, statement: &RawStatement) -> Result<RawAnswer> {
    let failed = |cause| failure::error(cause, Phase::Commit);
    // The text is the application's: it says so by its type (`SqlText`).
    let text = || AssertSqlSafe(statement.text.clone()).into_sql_str();
    let prepared = match (&mut *connection).prepare(text()).await {
        Ok(prepared) => prepared,
        // Some definitions: they take no values and give no rows. One statement a text, as when it is prepared: the
        // connection does not take several.
        Err(cause) if failure::number(&cause) == NOT_PREPARED && statement.values.is_empty() => {
            let columns = statement.wanted.of(&[])?;
            let changed = sqlx::raw_sql(text()).execute(connection).await.map_err(failed)?.rows_affected();
            return Ok(RawAnswer { names: Vec::with_capacity(columns.len()), rows: Vec::new(), changed });
        }
        Err(cause) => return Err(failure::error(cause, Phase::Write)),
    };
    statement.check_values(match prepared.parameters() {
        Some(Either::Right(count)) => count,
        Some(Either::Left(types)) => types.len(),
        None => 0,
    })?;
    let values: Vec<Value> = statement.values.iter().map(|(logical, value)| core.dialect.stored(logical, value.clone())).collect();
    let names: Vec<String> = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
    let columns = statement.wanted.of(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut found = RawAnswer { names: columns.iter().map(|(at, _)| names[*at].clone()).collect(), ..RawAnswer::default() };
    let query = prepared.query_with(codec::arguments(&values)?);
    if columns.is_empty() {
        found.changed = query.execute(connection).await.map_err(failed)?.rows_affected();
        return Ok(found);
    }
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    if rows.is_empty() {
        // Columns are checked although no row comes.
        for (at, column) in &columns {
            mapped(prepared.columns()[*at].type_info().name(), column, &names[*at])?;
        }
    }
    for row in &rows {
        found.rows.push(read(row, &columns, &names)?);
    }
    Ok(found)
}

fn read(row: &MySqlRow, columns: &[(usize, RawColumn)], names: &[String]) -> Result<Vec<Value>> {
    let mut values = Vec::with_capacity(columns.len());
    for (at, column) in columns {
        // Of the row: what a bare placeholder gives is known only when a value is bound to it.
        let there = row.try_column(*at).map_err(|_| codec::corrupt())?.type_info().name();
        let mapped = mapped(there, column, &names[*at])?;
        let value = row.cell(*at, &column.logical, mapped);
        let value = value.map_err(|_| RawAnswer::mismatch(&names[*at], &there.to_lowercase(), &column.logical))?;
        RawAnswer::push(&mut values, &names[*at], column, value)?;
    }
    Ok(values)
}

/// Whether a column holds times of the server's own rather than the numbers that HeavenBase keeps; an error when it is not
/// read as what was asked for.
fn mapped(there: &str, column: &RawColumn, name: &str) -> Result<bool, Error> {
    reads(&column.logical, there).ok_or_else(|| RawAnswer::mismatch(name, &there.to_lowercase(), &column.logical))
}

fn reads(logical: &LogicalType, there: &str) -> Option<bool> {
    let own = Some(false);
    let texts = ["CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET"].contains(&there);
    let bytes = ["BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"].contains(&there);
    // Those of 64 bits without a sign may be beyond what an integer holds: they are to be cast.
    let plain = if there == "BIGINT UNSIGNED" { there } else { there.strip_suffix(" UNSIGNED").unwrap_or(there) };
    let whole = ["BOOLEAN", "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "YEAR"].contains(&plain);
    match logical {
        _ if there == "NULL" => own,
        // On OceanBase text lies as bytes.
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) if texts || bytes => own,
        LogicalType::Bool | LogicalType::Int { .. } | LogicalType::Duration if whole => own,
        LogicalType::Timestamp | LogicalType::Date if whole => own,
        LogicalType::Timestamp if matches!(there, "DATETIME" | "TIMESTAMP") => Some(true),
        LogicalType::Date if there == "DATE" => Some(true),
        LogicalType::Float if matches!(there, "FLOAT" | "DOUBLE") => own,
        LogicalType::Decimal { .. } if there == "DECIMAL" => own,
        LogicalType::Bytes | LogicalType::Uuid | LogicalType::Vector(_) if bytes => own,
        LogicalType::Json | LogicalType::List(_) if texts || bytes || there == "JSON" => own,
        _ => None,
    }
}
