//! Tables that HeavenBase did not create: compared with the catalog, and left as they are. See
//! `docs/decisions/0007-existing-tables.md`.

use super::core::Core;
use super::ensure::run;
use crate::backends::sql::existing::{ANY_TEXT, FoundColumn, FoundTable, check as compare, no_such_path, not_there};
use crate::backends::sql::forms::corrupt;
use crate::backends::sql::session::Session;
use crate::backends::sql::{Dialect, Sql};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// Compares the table with the part; changes nothing.
pub(super) async fn check(core: &Core, session: &mut dyn Session, part: &Part) -> Result<Ensured> {
    for column in &part.columns {
        if !matches!(column.placement, Placement::InlineColumn | Placement::JsonField) || matches!(column.logical, LogicalType::List(_)) {
            let why = format!("an existing table holds single values and JSON: store the field as InlineColumn, not {}", column.placement);
            return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(column.name));
        }
    }
    let path: Vec<&str> = part.path().collect();
    let database = match path.as_slice() {
        [_] | [_, _] => None,
        [database, _, _] => Some(*database),
        _ => return Err(no_such_path(part, "a table is named by at most database, schema and table")),
    };
    let mut place = String::new();
    for (i, name) in path.iter().enumerate() {
        place.push_str(if i > 0 { "." } else { "" });
        core.dialect.quote(name, &mut place);
    }
    let catalog = |sql: &mut Sql<'_>, view: &'static str| {
        if let Some(database) = database {
            sql.name(database).push(".");
        }
        sql.push(view);
    };
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT CAST(o.[type] AS NVARCHAR(2)) FROM ");
    catalog(&mut sql, "sys.objects");
    sql.push(" o WHERE o.[type] IN ('U', 'V') AND o.[object_id] = OBJECT_ID(").bind(Value::Text(place.clone())).push(")");
    let Some(Value::Text(kind)) = run(session, sql.finish()).await?.rows.into_iter().flatten().next() else { return Err(not_there(part)) };
    let is_table = kind.trim() == "U";
    let mut found = FoundTable { writable: is_table, ignores_case: true, ..FoundTable::default() };
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT c.[name], y.[name], CAST(c.[max_length] AS BIGINT), CAST(c.[precision] AS BIGINT), CAST(c.[scale] AS BIGINT), ");
    sql.push("c.[is_nullable], CAST(CASE WHEN c.[default_object_id] <> 0 OR c.[is_identity] = 1 THEN 1 ELSE 0 END AS BIT), ");
    sql.push("CAST(CASE WHEN c.[is_computed] = 1 OR c.[is_identity] = 1 OR y.[name] = N'timestamp' THEN 1 ELSE 0 END AS BIT), COALESCE(c.[collation_name], N'') FROM ");
    catalog(&mut sql, "sys.columns");
    sql.push(" c JOIN ");
    // A type of the user's is described by what it is made of.
    catalog(&mut sql, "sys.types");
    sql.push(" y ON y.[user_type_id] = c.[system_type_id] WHERE c.[object_id] = OBJECT_ID(").bind(Value::Text(place.clone()));
    sql.push(") ORDER BY c.[column_id]");
    for row in run(session, sql.finish()).await?.rows {
        let [
            Value::Text(name),
            Value::Text(kind),
            Value::Int(length),
            Value::Int(precision),
            Value::Int(scale),
            nullable,
            default,
            generated,
            Value::Text(collation),
        ] = row.as_slice()
        else {
            return Err(corrupt());
        };
        let mut column = of_type(name, kind, *length, *precision, *scale);
        column.nullable = is_table.then_some(*nullable != Value::Bool(false));
        column.has_default = *default == Value::Bool(true);
        column.generated = *generated == Value::Bool(true);
        if kind == "varchar" && collation.to_ascii_uppercase().ends_with("_UTF8") {
            // The client would read its bytes by a code page.
            column.holds.clear();
            column.advice = "it is varchar in UTF-8: map a view that gives it as nvarchar";
        }
        found.columns.push(column);
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT COUNT_BIG(*) FROM ");
    catalog(&mut sql, "sys.indexes");
    sql.push(" i WHERE i.[object_id] = OBJECT_ID(").bind(Value::Text(place)).push(") AND i.[is_unique] = 1 AND i.[has_filter] = 0 ");
    sql.push("AND i.[is_disabled] = 0 AND (SELECT CASE WHEN COUNT(*) = 1 THEN MAX(c.[name]) END FROM ");
    catalog(&mut sql, "sys.index_columns");
    sql.push(" k JOIN ");
    catalog(&mut sql, "sys.columns");
    sql.push(" c ON c.[object_id] = k.[object_id] AND c.[column_id] = k.[column_id] WHERE k.[object_id] = i.[object_id] ");
    sql.push("AND k.[index_id] = i.[index_id] AND k.[is_included_column] = 0) = ").bind(Value::Text(part.id_column().to_owned()));
    let unique = run(session, sql.finish()).await?;
    found.key_is_unique = crate::backends::sql::core::whole(unique.rows.first().and_then(|row| row.first()))? > 0;
    compare(part, &found).map(|()| Ensured::default())
}

/// What a type holds. Lengths are bytes, -1 for any.
fn of_type(name: &str, kind: &str, length: i64, precision: i64, scale: i64) -> FoundColumn {
    let whole = |min: i64, max: i64| vec![LogicalType::Int { min, max }];
    let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    let text = |bytes_each: i64| {
        // A character may take two units of UTF-16, or four bytes.
        if length < 0 { vec![ANY_TEXT] } else { vec![LogicalType::Text { max: u32::try_from(length / bytes_each).unwrap_or(u32::MAX) }] }
    };
    let (mut advice, mut exact) = ("", true);
    let holds = match kind {
        "bit" => vec![LogicalType::Bool],
        "tinyint" => whole(0, 255),
        "smallint" => whole(i64::from(i16::MIN), i64::from(i16::MAX)),
        "int" => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
        "bigint" => vec![LogicalType::INT, LogicalType::Duration],
        "float" => vec![LogicalType::Float],
        "real" => {
            exact = false;
            vec![LogicalType::Float]
        }
        "decimal" | "numeric" if precision <= 28 => vec![LogicalType::Decimal { precision: small(precision), scale: small(scale) }],
        "decimal" | "numeric" => {
            advice = "it holds more than 28 digits: map a view that casts it";
            Vec::new()
        }
        "nvarchar" => text(4),
        "varchar" => {
            // What its code page has no sign for becomes a question mark.
            exact = false;
            let mut holds = text(4);
            holds.push(LogicalType::Json);
            holds
        }
        "char" | "nchar" => {
            advice = "it compares without the blanks at its end: map a view that gives it as nvarchar";
            Vec::new()
        }
        "varbinary" => {
            exact = length < 0;
            vec![LogicalType::Bytes]
        }
        "datetime2" | "datetimeoffset" => {
            exact = kind == "datetime2" && scale >= 6;
            vec![LogicalType::Timestamp]
        }
        "datetime" | "smalldatetime" => {
            exact = false;
            vec![LogicalType::Timestamp]
        }
        "date" => vec![LogicalType::Date],
        "uniqueidentifier" => vec![LogicalType::Uuid],
        _ => {
            advice = "map a view that casts it to a type that a field has";
            Vec::new()
        }
    };
    let holds = if kind == "nvarchar" && length < 0 { [holds, vec![LogicalType::Json]].concat() } else { holds };
    FoundColumn { advice, exact, ..FoundColumn::new(name, kind, holds) }
}
