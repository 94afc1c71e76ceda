//! Batches as one statement each: every column is one array, which `UNNEST` turns into rows.
//!
//! The server says how many rows it wrote. Where that is all of them nothing else is asked; where it is fewer, the batch is undone
//! and done again by a statement that gives the ids it wrote: thousands of ids cost as much as a tenth of the batch.

use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgRow};

use super::codec::{self, Parameter, oid};
use super::core::{Core, Held, query};
use super::dialect::bulk_type;
use super::{failure, nul, words};
use crate::backends::network::failure::Phase;
use crate::backends::sql::{Dialect, Sql, Statement, ddl, select};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, KeyKind, Part, VERSION_COLUMN};
use crate::types::{Id, Value};

/// Most attempts when another session wrote the same rows at the same time.
const CONFLICTS: u32 = 5;

/// A batch as a statement.
struct Bulk {
    text: String,
    /// Behind the text: gives the ids that it wrote.
    returning: String,
    parameters: Vec<Parameter>,
}

/// What is asked of a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// How many rows it wrote.
    Number,
    /// Which.
    Ids,
}

/// One array a column: its name, its parameter's type and what the rows' values are cast to.
struct Carried {
    physical: String,
    array: &'static str,
    cast: Option<String>,
    parameter: Parameter,
}

fn carried(core: &Core, part: &Part, batch: &WriteBatch, order: &[usize]) -> Result<Vec<Carried>> {
    let mut all = Vec::with_capacity(batch.columns.len());
    for (i, &position) in batch.columns.iter().enumerate() {
        let column: &Column =
            part.columns.get(position).ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
        let (array_oid, array, cast) = bulk_type(column, part.is_mapped(), core.dialect.vectors);
        let mut values = Vec::with_capacity(order.len());
        for &row in order {
            let value = &batch.row(row)[i];
            nul::check(value, column.name)?;
            values.push(carried_value(core, part, column, value));
        }
        let parameter = codec::array(array_oid, values.iter());
        all.push(Carried { physical: column.physical.clone(), array, cast, parameter });
        if column.placement == crate::capability::Placement::InvertedIndex {
            let values: Vec<Value> = order.iter().map(|&row| words_value(&batch.row(row)[i])).collect();
            let parameter = codec::array(oid::TEXT_ARRAY, values.iter());
            let (physical, cast) = (words::name(column), Some("text[]".to_owned()));
            all.push(Carried { physical, array: "text[]", cast, parameter });
        }
    }
    Ok(all)
}

fn words_value(value: &Value) -> Value {
    match words::of(value) {
        Value::List(items) => Value::Text(codec::list_text(&items)),
        other => other,
    }
}

/// A value as an item of its column's array.
fn carried_value(core: &Core, part: &Part, column: &Column, value: &Value) -> Value {
    match value {
        Value::List(items) => Value::Text(codec::list_text(items)),
        Value::Vector(numbers) if core.dialect.vectors && column.placement == crate::capability::Placement::VectorIndex => {
            Value::Text(codec::vector_text(numbers, '[', ']'))
        }
        Value::Vector(numbers) => Value::Text(codec::vector_text(numbers, '{', '}')),
        other if part.is_mapped() => other.clone(),
        other => core.dialect.stored(&column.logical, other.clone()),
    }
}

impl Bulk {
    fn new(core: &Core, part: &Part, batch: &WriteBatch) -> Result<Self> {
        let order = batch.in_key_order(part)?;
        let kind = part.key().kind;
        let keys: Vec<Value> = order.iter().filter_map(|&row| kind.value(&batch.ids[row])).collect();
        let mut parameters = vec![codec::array(key_array(kind).0, keys.iter()), codec::parameter(&Value::Int(batch.version))];
        let mut returning = Sql::new(&core.dialect);
        returning.push(" RETURNING t.").name(part.id_column());
        let returning = returning.finish().text;
        let mut sql = Sql::new(&core.dialect);
        if batch.mode == WriteMode::Delete {
            delete(&mut sql, part);
            if part.is_mapped() {
                parameters.truncate(1);
            }
            return Ok(Bulk { text: sql.finish().text, returning, parameters });
        }
        let carried = carried(core, part, batch, &order)?;
        let expected = batch.mode == WriteMode::Patch && !batch.expected.is_empty() && !part.is_mapped();
        parameters.extend(carried.iter().map(|column| column.parameter.clone()));
        if expected {
            let versions: Vec<Value> = order.iter().map(|&row| Value::Int(batch.expected[row])).collect();
            parameters.push(codec::array(oid::INT8_ARRAY, versions.iter()));
        }
        match batch.mode {
            WriteMode::Patch => patch(&mut sql, part, &carried, expected),
            mode => put(&mut sql, part, &carried, mode == WriteMode::Upsert),
        }
        Ok(Bulk { text: sql.finish().text, returning, parameters })
    }
}

/// How keys travel: the array's type.
fn key_array(kind: KeyKind) -> (u32, &'static str) {
    match kind {
        KeyKind::Text => (oid::TEXT_ARRAY, "text[]"),
        KeyKind::Int => (oid::INT8_ARRAY, "bigint[]"),
        KeyKind::Uuid => (oid::UUID_ARRAY, "uuid[]"),
    }
}

/// `UNNEST($1::text[], $3::bigint[], …) AS u(id, c0, …)`; the version is `$2`.
fn unnest(sql: &mut Sql<'_>, part: &Part, columns: &[Carried], expected: bool) {
    sql.push(" FROM UNNEST($1::").push(key_array(part.key().kind).1);
    for (i, column) in columns.iter().enumerate() {
        sql.push(", $").number(i + 3).push("::").push(column.array);
    }
    if expected {
        sql.push(", $").number(columns.len() + 3).push("::bigint[]");
    }
    sql.push(") AS u(id");
    for i in 0..columns.len() {
        sql.push(", c").number(i);
    }
    sql.push(if expected { ", expected)" } else { ")" });
}

fn item(sql: &mut Sql<'_>, i: usize, column: &Carried) {
    sql.push("u.c").number(i);
    if let Some(cast) = &column.cast {
        sql.push("::").push_type(cast);
    }
}

fn put(sql: &mut Sql<'_>, part: &Part, columns: &[Carried], replace: bool) {
    sql.push("INSERT INTO ").table(part).push(" AS t (").name(part.id_column());
    let versioned = !part.is_mapped();
    if versioned {
        sql.push(", ").name(VERSION_COLUMN);
    }
    for column in columns {
        sql.push(", ").name(&column.physical);
    }
    sql.push(") SELECT u.id").push(if versioned { ", $2::bigint" } else { "" });
    for (i, column) in columns.iter().enumerate() {
        sql.push(", ");
        item(sql, i, column);
    }
    unnest(sql, part, columns, false);
    if !versioned {
        // The version is bound all the same, so that the numbers of the others do not move.
        sql.push(" WHERE $2::bigint IS NOT NULL");
    }
    sql.push(" ON CONFLICT (").name(part.id_column()).push(") DO ");
    if !replace || !versioned && columns.is_empty() {
        sql.push("NOTHING");
    } else {
        sql.push("UPDATE SET ");
        let mut names: Vec<&str> = if versioned { vec![VERSION_COLUMN] } else { Vec::new() };
        names.extend(columns.iter().map(|column| column.physical.as_str()));
        for (i, name) in names.into_iter().enumerate() {
            sql.push(if i > 0 { ", " } else { "" }).name(name).push(" = excluded.").name(name);
        }
        if versioned {
            sql.push(" WHERE t.").name(VERSION_COLUMN).push(" < excluded.").name(VERSION_COLUMN);
        }
    }
}

fn patch(sql: &mut Sql<'_>, part: &Part, columns: &[Carried], expected: bool) {
    sql.push("UPDATE ").table(part).push(" AS t SET ");
    if part.is_mapped() {
        if columns.is_empty() {
            sql.name(part.id_column()).push(" = t.").name(part.id_column());
        }
    } else {
        sql.name(VERSION_COLUMN).push(" = $2::bigint").push(if columns.is_empty() { "" } else { ", " });
    }
    for (i, column) in columns.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" }).name(&column.physical).push(" = ");
        item(sql, i, column);
    }
    unnest(sql, part, columns, expected);
    sql.push(" WHERE t.").name(part.id_column()).push(" = u.id AND ");
    if part.is_mapped() {
        sql.push("$2::bigint IS NOT NULL");
    } else {
        sql.push("t.").name(VERSION_COLUMN).push(" < $2::bigint");
        if expected {
            sql.push(" AND t.").name(VERSION_COLUMN).push(" = u.expected");
        }
    }
}

fn delete(sql: &mut Sql<'_>, part: &Part) {
    sql.push("DELETE FROM ")
        .table(part)
        .push(" AS t WHERE t.")
        .name(part.id_column())
        .push(" = ANY($1::")
        .push(key_array(part.key().kind).1)
        .push(")");
    if !part.is_mapped() {
        sql.push(" AND t.").name(VERSION_COLUMN).push(" < $2::bigint");
    }
}

/// How one attempt failed.
enum Failed {
    /// It wrote fewer rows than it was given: which, is asked next.
    Fewer,
    /// Nothing was begun, or the server undid it and asks for another attempt.
    Again(Error),
    /// For good.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Final(error)
    }
}

/// Writes a batch in one transaction.
pub(super) async fn write(core: &Core, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    if batch.is_empty() {
        return Ok(WriteReport::default());
    }
    let bulk = Bulk::new(core, part, batch)?;
    let most = core.attempts().max(CONFLICTS);
    // Rows to be deleted are often gone already.
    let mut ask = if batch.mode == WriteMode::Delete { Ask::Ids } else { Ask::Number };
    let mut attempt = 1;
    loop {
        match once(core, part, batch, &bulk, ask, attempt > 1).await {
            Ok(report) => return Ok(report),
            Err(Failed::Fewer) => {
                ask = Ask::Ids;
                continue;
            }
            Err(Failed::Again(error)) if attempt >= most => return Err(error),
            Err(Failed::Again(error)) if error.kind() == ErrorKind::Conflict => {
                // Let the other session finish first, and do not come back in step with it.
                tokio::time::sleep(std::time::Duration::from_millis(u64::from(attempt) * 5)).await;
            }
            Err(Failed::Again(_)) => {}
            Err(Failed::Final(error)) => return Err(error),
        }
        attempt += 1;
    }
}

async fn once(core: &Core, part: &Part, batch: &WriteBatch, bulk: &Bulk, ask: Ask, again: bool) -> Result<WriteReport, Failed> {
    let lost = |cause| {
        let lost = failure::is_lost(&cause);
        let error = failure::error(cause, Phase::Write);
        if lost { Failed::Again(error) } else { Failed::Final(error) }
    };
    let mut held = Held(None);
    let connection = held.0.insert(core.pool.acquire().await.map_err(lost)?);
    let mut transaction = core.waits(Phase::Write, connection.begin()).await?.map_err(lost)?;
    let done = match apply(core, part, batch, bulk, ask, again, &mut transaction).await {
        Ok(report) => {
            let committed = core.waits(Phase::Commit, transaction.commit()).await?;
            committed.map(|()| report).map_err(|cause| Failed::Final(failure::error(cause, Phase::Commit)))
        }
        // The server may not hear of it: the connection is closed.
        Err(Failed::Final(error)) if error.kind() == ErrorKind::Timeout => return Err(Failed::Final(error)),
        Err(failed) => {
            // What cannot be undone here, the server undoes when the connection ends.
            let _ = core.waits(Phase::Write, transaction.rollback()).await?;
            Err(failed)
        }
    };
    held.0.take();
    done
}

async fn apply(
    core: &Core,
    part: &Part,
    batch: &WriteBatch,
    bulk: &Bulk,
    ask: Ask,
    again: bool,
    connection: &mut PgConnection,
) -> Result<WriteReport, Failed> {
    let failed = |cause: sqlx::Error| refused(core, part, cause);
    if ask == Ask::Number {
        let statement = query(&bulk.text, &bulk.parameters, !again).map_err(Failed::Final)?;
        let done = core.waits(Phase::Write, Box::pin(statement.execute(&mut *connection))).await?.map_err(failed)?;
        return if done.rows_affected() == batch.len() as u64 { Ok(WriteReport::default()) } else { Err(Failed::Fewer) };
    }
    let statement = query(&format!("{}{}", bulk.text, bulk.returning), &bulk.parameters, !again).map_err(Failed::Final)?;
    let written = core.waits(Phase::Write, statement.fetch_all(&mut *connection)).await?.map_err(failed)?;
    if written.len() == batch.len() {
        return Ok(WriteReport::default());
    }
    let left = left_out(part, batch, &written).map_err(Failed::Final)?;
    if batch.mode == WriteMode::Insert {
        let first = left.first().map(|&row| batch.ids[row].as_str().to_owned()).unwrap_or_default();
        let error = Error::new(ErrorKind::AlreadyExists, "a row with this id is there already: use upsert to replace it");
        return Err(Failed::Final(error.of_entity(part.entity.name).with("id", first)));
    }
    let ids: Vec<Id> = left.iter().map(|&row| batch.ids[row].clone()).collect();
    let there = select::fetch(&core.dialect, part, &ids, &[]).map_err(Failed::Final)?;
    let there = query(&there.text, &super::core::bound(&there), !again).map_err(Failed::Final)?;
    let there = core.waits(Phase::Write, there.fetch_all(connection)).await?.map_err(failed)?;
    outcome(part, &ids, &left, &there).map_err(Failed::Final)
}

/// The positions of the rows that were not written, in the batch's order.
fn left_out(part: &Part, batch: &WriteBatch, written: &[PgRow]) -> Result<Vec<usize>> {
    let written = written.iter().map(|row| codec::read_id(row, 0, part)).collect::<Result<std::collections::HashSet<Id>>>()?;
    Ok((0..batch.len()).filter(|&row| !written.contains(&batch.ids[row])).collect())
}

fn outcome(part: &Part, ids: &[Id], left: &[usize], there: &[PgRow]) -> Result<WriteReport> {
    let mut report = WriteReport::default();
    let mut versions = std::collections::HashMap::with_capacity(there.len());
    for row in there {
        versions.insert(codec::read_id(row, 0, part)?, codec::read_whole(row, 1)?);
    }
    for (id, &row) in ids.iter().zip(left) {
        match versions.get(id) {
            Some(&version) => report.stale.push((row, version)),
            None => report.missing.push(row),
        }
    }
    // A mapped row without columns to write is there, and not stale.
    if part.is_mapped() {
        report.stale.clear();
    }
    Ok(report)
}

/// What the server said of the statement.
fn refused(core: &Core, part: &Part, cause: sqlx::Error) -> Failed {
    let code = failure::code(&cause).unwrap_or_default();
    let again = matches!(code.as_str(), "40001" | "40P01") || failure::is_stale_plan(&cause);
    let constraint = cause.as_database_error().and_then(|cause| cause.constraint()).map(str::to_owned);
    let mut error = failure::error(cause, Phase::Write).of_entity(part.entity.name);
    if let Some(constraint) = constraint.filter(|_| code == "23505") {
        error = match ddl::unique_fields(&core.dialect, part, &constraint) {
            Some(fields) => error.at_field(fields),
            None => error.with("constraint", constraint),
        };
    }
    if again { Failed::Again(error) } else { Failed::Final(error) }
}

/// Gives rows written before a column existed its default, and their words.
pub(super) fn fill(core: &Core, part: &Part, column: &Column) -> Result<Option<Statement>> {
    let Some(value) = column.default.map(|default| default()).filter(|value| !value.is_null()) else { return Ok(None) };
    nul::check(&value, column.name)?;
    let mut sql = Sql::new(&core.dialect);
    sql.push("UPDATE ").table(part).push(" SET ").name(&column.physical).push(" = ");
    sql.bind(carried_value(core, part, column, &value));
    if let (_, _, Some(cast)) = bulk_type(column, false, core.dialect.vectors) {
        sql.push("::").push_type(&cast);
    }
    if column.placement == crate::capability::Placement::InvertedIndex {
        sql.push(", ").name(&words::name(column)).push(" = ").bind(words_value(&value)).push("::text[]");
    }
    sql.push(" WHERE ").name(&column.physical).push(" IS NULL");
    Ok(Some(sql.finish()))
}
