//! Tables that HeavenBase did not create: checked, and left as they are. See `docs/decisions/0007-existing-tables.md`.

use duckdb::Connection;

use super::dialect::type_of;
use super::failure;
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::LogicalType;

/// A column that is there: its name, its type as DuckDB writes it, whether it takes null.
struct Found {
    name: String,
    data_type: String,
    nullable: bool,
}

/// Where a table lies: catalog, schema, name; DuckDB's current ones where the path leaves them out.
type Place = (Option<String>, Option<String>, String);

fn place(part: &Part) -> Place {
    let mut names: Vec<String> = part.path().map(str::to_owned).collect();
    let table = names.pop().unwrap_or_default();
    let schema = names.pop();
    (names.pop(), schema, table)
}

/// Checks the table that a part is mapped onto.
pub(super) fn check(connection: &Connection, part: &Part) -> Result<Ensured> {
    let refuse = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    let place = place(part);
    let found = columns(connection, &place).map_err(failure::error)?;
    if found.is_empty() {
        return Err(refuse(format!("the table `{}` that the entity maps is not there", part.table)));
    }
    let read_only = part.entity.read_only;
    let view = is_view(connection, &place).map_err(failure::error)?;
    let named = |name: &str| found.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    let key = part.key();
    let Some(there) = named(key.column) else {
        return Err(refuse(format!(
            "the table `{}` has no column `{}` for the id: name it with #[id(column = …)]",
            part.table, key.column
        )));
    };
    if !holds(&there.data_type, &key.kind.logical(), read_only) {
        let (table, column, is) = (&part.table, key.column, &there.data_type);
        return Err(refuse(format!(
            "the column `{column}` of the table `{table}` is {is}, which is no key of {}: say #[id(as = …)]",
            key.kind.logical()
        )));
    }
    if !read_only {
        if view {
            return Err(refuse(format!("`{}` is a view, which is not written: say read_only", part.table)));
        }
        if !is_unique(connection, &place, key.column).map_err(failure::error)? {
            let why = format!("the column `{}` of the table `{}` is not unique: make it so, or say read_only", key.column, part.table);
            return Err(refuse(why));
        }
    }
    for column in &part.columns {
        let at = |why: String| refuse(why).at_field(column.name);
        if column.placement == Placement::InvertedIndex {
            return Err(at("a mapped table has no column for words: store the field as InlineColumn".to_owned()));
        }
        let Some(there) = named(&column.physical) else {
            return Err(at(format!("the table `{}` has no column `{}`", part.table, column.physical)));
        };
        check_column(column, there, read_only, view).map_err(at)?;
    }
    Ok(Ensured::default())
}

fn check_column(column: &Column, there: &Found, read_only: bool, view: bool) -> std::result::Result<(), String> {
    if !holds(&there.data_type, &column.logical, read_only) {
        let way_out = match there.data_type.as_str() {
            "TIMESTAMP WITH TIME ZONE" => ": map a view with `AT TIME ZONE 'UTC'`",
            _ => "",
        };
        let (name, is, wants) = (&there.name, &there.data_type, type_of(&column.logical));
        return Err(format!("the column `{name}` is {is}, the entity's {} needs {wants}{way_out}", column.logical));
    }
    // A view does not tell.
    if there.nullable && !column.nullable && !view {
        return Err(format!("the column `{}` takes null, the field is not optional", there.name));
    }
    if !there.nullable && column.nullable && !read_only {
        return Err(format!("the column `{}` takes no null, the field is optional", there.name));
    }
    Ok(())
}

/// Whether a column of a type holds the values of a logical type, and (unless it is only read) takes them all.
fn holds(data_type: &str, logical: &LogicalType, read_only: bool) -> bool {
    if data_type == type_of(logical) {
        return true;
    }
    let whole = |data_type: &str| match data_type {
        "TINYINT" => Some((i64::from(i8::MIN), i64::from(i8::MAX))),
        "SMALLINT" => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        "INTEGER" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        "UTINYINT" => Some((0, i64::from(u8::MAX))),
        "USMALLINT" => Some((0, i64::from(u16::MAX))),
        "UINTEGER" => Some((0, i64::from(u32::MAX))),
        _ => None,
    };
    match logical {
        LogicalType::Int { min, max } => whole(data_type).is_some_and(|(least, most)| read_only || least <= *min && *max <= most),
        LogicalType::Float => read_only && data_type == "FLOAT",
        LogicalType::Decimal { precision, scale } => {
            let digits = data_type.strip_prefix("DECIMAL(").and_then(|rest| rest.strip_suffix(')')).and_then(|rest| rest.split_once(','));
            let digits = digits.and_then(|(width, scale)| Some((width.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?)));
            digits.is_some_and(|(width, there)| {
                read_only && there <= *scale && width.saturating_sub(there) <= precision.saturating_sub(*scale)
            })
        }
        LogicalType::Text { .. } | LogicalType::Category(_) | LogicalType::Id | LogicalType::Ref(_) => {
            read_only && data_type.starts_with("ENUM(")
        }
        LogicalType::List(item) => data_type.strip_suffix("[]").is_some_and(|data_type| holds(data_type, item, read_only)),
        _ => false,
    }
}

const OF_PLACE: &str =
    "table_catalog = coalesce(?, current_database()) AND table_schema = coalesce(?, current_schema()) AND table_name = ?";

fn columns(connection: &Connection, place: &Place) -> duckdb::Result<Vec<Found>> {
    let text = format!("SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE {OF_PLACE}");
    let mut prepared = connection.prepare(&text)?;
    let found = prepared.query_map(duckdb::params![place.0, place.1, place.2], |row| {
        Ok(Found { name: row.get(0)?, data_type: row.get(1)?, nullable: row.get::<_, String>(2)? == "YES" })
    })?;
    found.collect()
}

fn is_view(connection: &Connection, place: &Place) -> duckdb::Result<bool> {
    let text = format!("SELECT count(*) FROM information_schema.tables WHERE {OF_PLACE} AND table_type = 'VIEW'");
    connection.query_row(&text, duckdb::params![place.0, place.1, place.2], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// Whether a constraint, which `ON CONFLICT` needs, keeps a column unique.
fn is_unique(connection: &Connection, place: &Place, column: &str) -> duckdb::Result<bool> {
    let text = "SELECT count(*) FROM duckdb_constraints() WHERE database_name = coalesce(?, current_database()) \
                AND schema_name = coalesce(?, current_schema()) AND table_name = ? AND constraint_type IN ('PRIMARY KEY', 'UNIQUE') \
                AND len(constraint_column_names) = 1 AND lower(constraint_column_names[1]) = lower(?)";
    connection.query_row(text, duckdb::params![place.0, place.1, place.2, column], |row| Ok(row.get::<_, i64>(0)? > 0))
}
