//! Tables that exist already, as SQLite describes them. Its types are affinities of columns: what a declared type says is
//! believed, and a value of another kind is `Corrupt` when it is read.

use rusqlite::{Connection, params};

use super::failure;
use crate::backends::sql::existing::{ANY_TEXT, ANY_VECTOR, FoundColumn, FoundTable, check, no_such_path, not_there};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::LogicalType;

/// Compares the table with the part; changes nothing.
pub(super) fn ensure(connection: &Connection, part: &Part) -> Result<Ensured> {
    let path: Vec<&str> = part.path().collect();
    let table = match path.as_slice() {
        [table] => *table,
        [schema, table] if schema.eq_ignore_ascii_case("main") => *table,
        _ => return Err(no_such_path(part, "an SQLite database has one schema, `main`: name the table alone")),
    };
    for column in &part.columns {
        if matches!(column.placement, Placement::SideTable | Placement::InvertedIndex) {
            let why = format!("nothing lies beside an existing table: store the field as InlineColumn, not {}", column.placement);
            return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(column.name));
        }
    }
    let found = look(connection, part, table).map_err(failure::error)?;
    match found {
        Some(found) => check(part, &found).map(|()| Ensured::default()),
        None => Err(not_there(part)),
    }
}

fn look(connection: &Connection, part: &Part, table: &str) -> rusqlite::Result<Option<FoundTable>> {
    let text = "SELECT type FROM pragma_table_list(?1) WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')";
    let mut kinds = connection.prepare(text)?;
    let Some(kind) = kinds.query_map([table], |row| row.get::<_, String>(0))?.next().transpose()? else { return Ok(None) };
    let is_table = kind == "table";
    let text = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1, 'main')";
    let mut columns = connection.prepare(text)?;
    let mut primary = Vec::new();
    let columns = columns.query_map([table], |row| {
        let (name, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let mut column = of_type(name, declared);
        column.nullable = is_table.then_some(!row.get::<_, bool>(2)?);
        column.has_default = row.get(3)?;
        column.generated = row.get::<_, i64>(5)? > 1;
        if row.get::<_, i64>(4)? > 0 {
            primary.push(column.name.clone());
        }
        Ok(column)
    })?;
    let mut columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
    let key = part.id_column();
    let is_key = |name: &str| name.eq_ignore_ascii_case(key);
    // The column that is the row's number is unique without an index, and given where it is left out.
    let mut number = false;
    if let ([only], true) = (&primary[..], is_table)
        && let Some(column) = columns.iter_mut().find(|column| column.name == *only)
        && column.type_name.eq_ignore_ascii_case("INTEGER")
        && !without_rowid(connection, table)?
    {
        (column.nullable, column.has_default) = (Some(false), true);
        number = is_key(only);
    }
    let unique = "SELECT count(*) FROM pragma_index_list(?1, 'main') l WHERE l.\"unique\" AND NOT l.partial \
                  AND (SELECT count(*) FROM pragma_index_xinfo(l.name, 'main') x WHERE x.key) = 1 \
                  AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name, 'main') x \
                              WHERE x.key AND lower(x.name) = lower(?2) AND x.coll = 'BINARY')";
    let indexes: i64 = connection.query_row(unique, params![table, key], |row| row.get(0))?;
    Ok(Some(FoundTable { columns, writable: is_table, key_is_unique: number || indexes > 0, ignores_case: true }))
}

fn without_rowid(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    connection.query_row("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'", [table], |row| row.get(0))
}

const TEXTS: LogicalType = LogicalType::List(&ANY_TEXT);
const WHOLES: LogicalType = LogicalType::List(&LogicalType::INT);
const FLOATS: LogicalType = LogicalType::List(&LogicalType::Float);
const BOOLS: LogicalType = LogicalType::List(&LogicalType::Bool);

/// What a declared type holds, by SQLite's own rules of affinity.
fn of_type(name: String, declared: String) -> FoundColumn {
    let upper = declared.to_ascii_uppercase();
    let says = |part: &str| upper.contains(part);
    let numbers = [LogicalType::INT, LogicalType::Timestamp, LogicalType::Duration, LogicalType::Date, LogicalType::Bool];
    let texts = [ANY_TEXT, LogicalType::Json, TEXTS, WHOLES, FLOATS, BOOLS];
    let bytes = [LogicalType::Bytes, LogicalType::Uuid, ANY_VECTOR];
    let (holds, advice) = if says("INT") {
        (numbers.to_vec(), "")
    } else if says("CHAR") || says("CLOB") || says("TEXT") {
        (texts.to_vec(), "times, decimals and UUIDs that are text are read as `String`")
    } else if says("BLOB") {
        (bytes.to_vec(), "")
    } else if declared.trim().is_empty() || upper == "ANY" {
        (numbers.into_iter().chain(texts).chain(bytes).chain([LogicalType::Float]).collect(), "")
    } else if says("REAL") || says("FLOA") || says("DOUB") {
        (vec![LogicalType::Float], "")
    } else if says("BOOL") {
        (vec![LogicalType::Bool], "")
    } else if says("DATE") || says("TIME") {
        (Vec::new(), "SQLite has no type for times: map a view that gives microseconds (CAST(… AS INTEGER)) or text (CAST(… AS TEXT))")
    } else if says("JSON") {
        (Vec::new(), "SQLite turns numbers and texts of numbers into one another in it: map a view that gives CAST(… AS TEXT)")
    } else {
        (vec![LogicalType::Float, LogicalType::INT], "decimals are floats in SQLite: read them as `f64`")
    };
    FoundColumn { advice, ..FoundColumn::new(name, if declared.is_empty() { "of no declared type".to_owned() } else { declared }, holds) }
}
