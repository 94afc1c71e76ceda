//! Tables that exist already, as Postgres' catalog describes them.

use sqlx::PgConnection;

use super::codec::{self, Cells};
use super::core::Core;
use super::ensure::{own, rows};
use crate::backends::sql::existing::{ANY_DECIMAL, ANY_TEXT, ANY_VECTOR, FoundColumn, FoundTable, check, no_such_path, not_there};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// Compares the table with the part; changes nothing.
pub(super) async fn ensure(core: &Core, connection: &mut PgConnection, part: &Part) -> Result<Ensured> {
    for column in &part.columns {
        if matches!(column.placement, Placement::SideTable | Placement::InvertedIndex) {
            let why = format!("nothing lies beside an existing table: store the field as InlineColumn, not {}", column.placement);
            return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(column.name));
        }
    }
    let Some((table, kind)) = find(core, connection, part).await? else { return Err(not_there(part)) };
    let is_table = matches!(kind.as_str(), "r" | "p");
    let mut found = FoundTable { writable: is_table, ..FoundTable::default() };
    // A column of a domain is described by what the domain is made of.
    let text = "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), b.typname::text, \
                CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END::bigint, a.attnotnull OR t.typnotnull, \
                a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, a.attgenerated <> '' OR a.attidentity = 'a', \
                COALESCE((SELECT l.collisdeterministic FROM pg_catalog.pg_collation l WHERE l.oid = a.attcollation), true) \
                FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
                JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
                WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    for row in rows(core, connection, &own(text, vec![Value::Int(table)])).await? {
        let flag = |at| row.cell(at, &LogicalType::Bool, false).map(|value| value == Value::Bool(true));
        let (name, shown, base) = (codec::read_text(&row, 0)?, codec::read_text(&row, 1)?, codec::read_text(&row, 2)?);
        let mut column = of_type(name, shown, &base, codec::read_whole(&row, 3)?);
        column.nullable = is_table.then_some(!flag(4)?);
        column.has_default = flag(5)?;
        column.generated = flag(6)?;
        if !flag(7)? {
            column.holds.clear();
            column.advice = "its collation calls different texts equal: map a view that gives … COLLATE \"C\"";
        }
        // The same numbers are another type for the search and for storage.
        let is_searched = |c: &&crate::schema::Column| c.physical == column.name && matches!(c.logical, LogicalType::Vector(_));
        if let Some(field) = part.columns.iter().find(is_searched)
            && (base == "vector") != (core.dialect.vectors && field.placement == Placement::VectorIndex)
        {
            column.holds.clear();
            column.advice = "a column of type `vector` is stored as VectorIndex on PgVector, one of type `real[]` as InlineColumn";
        }
        found.columns.push(column);
    }
    let text = "SELECT 1::bigint FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = i.indkey[0] \
                WHERE i.indrelid = $1::bigint::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indnkeyatts = 1 \
                AND i.indpred IS NULL AND i.indexprs IS NULL AND k.attname::text = $2";
    let key = Value::Text(part.id_column().to_owned());
    found.key_is_unique = !rows(core, connection, &own(text, vec![Value::Int(table), key])).await?.is_empty();
    check(part, &found).map(|()| Ensured::default())
}

/// The number and the kind of the table.
async fn find(core: &Core, connection: &mut PgConnection, part: &Part) -> Result<Option<(i64, String)>> {
    let path: Vec<&str> = part.path().collect();
    let (catalog, schema, table) = match path.as_slice() {
        [table] => ("", "", *table),
        [schema, table] => ("", *schema, *table),
        [catalog, schema, table] => (*catalog, *schema, *table),
        _ => return Err(no_such_path(part, "a table is named by at most database, schema and table")),
    };
    if !catalog.is_empty() {
        let here = rows(core, connection, &own("SELECT pg_catalog.current_database()::text", Vec::new())).await?;
        if here.first().map(|row| codec::read_text(row, 0)).transpose()?.as_deref() != Some(catalog) {
            return Err(no_such_path(part, "a connection of Postgres sees its own database only: connect the backend to that one"));
        }
    }
    let text = "SELECT c.oid::bigint, c.relkind::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                WHERE c.relname::text = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
                AND CASE WHEN $2 = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname::text = $2 END";
    let found = rows(core, connection, &own(text, vec![Value::Text(table.to_owned()), Value::Text(schema.to_owned())])).await?;
    found.first().map(|row| Ok((codec::read_whole(row, 0)?, codec::read_text(row, 1)?))).transpose()
}

const TEXTS: LogicalType = LogicalType::List(&ANY_TEXT);
const WHOLES: LogicalType = LogicalType::List(&LogicalType::INT);
const FLOATS: LogicalType = LogicalType::List(&LogicalType::Float);
const BOOLS: LogicalType = LogicalType::List(&LogicalType::Bool);
const UUIDS: LogicalType = LogicalType::List(&LogicalType::Uuid);
const DECIMALS: LogicalType = LogicalType::List(&ANY_DECIMAL);
const MOMENTS: LogicalType = LogicalType::List(&LogicalType::Timestamp);
const DAYS: LogicalType = LogicalType::List(&LogicalType::Date);

/// What a type holds: by the catalog's name of it and its modifier, -1 for none.
fn of_type(name: String, shown: String, base: &str, modifier: i64) -> FoundColumn {
    let whole = |min: i64, max: i64| vec![LogicalType::Int { min, max }];
    let mut advice = "";
    let mut exact = true;
    let holds = match base {
        "bool" => vec![LogicalType::Bool],
        "int2" => whole(i64::from(i16::MIN), i64::from(i16::MAX)),
        "int4" => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
        "int8" => vec![LogicalType::INT, LogicalType::Duration],
        "float8" => vec![LogicalType::Float],
        "float4" => {
            exact = false;
            vec![LogicalType::Float]
        }
        "numeric" if modifier < 4 => vec![ANY_DECIMAL],
        "numeric" => {
            // Eleven bits of scale, which may be negative, beneath the precision.
            let (precision, scale) = ((modifier - 4) >> 16, ((modifier - 4) & 0x7ff) ^ 1024);
            let scale = scale - 1024;
            let (precision, scale) = if scale < 0 { (precision, 0) } else { (precision, scale) };
            exact = ((modifier - 4) & 0x7ff) < 1024;
            let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
            vec![LogicalType::Decimal { precision: small(precision), scale: small(scale) }]
        }
        "text" => vec![ANY_TEXT],
        "varchar" if modifier < 4 => vec![ANY_TEXT],
        "varchar" => vec![LogicalType::Text { max: u32::try_from(modifier - 4).unwrap_or(u32::MAX) }],
        "bpchar" => {
            advice = "it compares without the blanks at its end: map a view that gives it as text";
            Vec::new()
        }
        "bytea" => vec![LogicalType::Bytes],
        "timestamptz" | "timestamp" => {
            exact = modifier < 0 || modifier == 6;
            vec![LogicalType::Timestamp]
        }
        "date" => vec![LogicalType::Date],
        "uuid" => vec![LogicalType::Uuid],
        "json" | "jsonb" => vec![LogicalType::Json],
        "_text" | "_varchar" => {
            exact = modifier < 4;
            vec![TEXTS]
        }
        "_int8" => vec![WHOLES],
        "_float8" => vec![FLOATS],
        "_bool" => vec![BOOLS],
        "_uuid" => vec![UUIDS],
        "_numeric" => {
            exact = modifier < 4;
            vec![DECIMALS]
        }
        "_timestamptz" => vec![MOMENTS],
        "_date" => vec![DAYS],
        "_float4" => vec![ANY_VECTOR],
        "vector" => vec![u32::try_from(modifier).map_or(ANY_VECTOR, LogicalType::Vector)],
        _ => {
            advice = "map a view that casts it to a type that a field has";
            Vec::new()
        }
    };
    FoundColumn { advice, exact, ..FoundColumn::new(name, shown, holds) }
}
