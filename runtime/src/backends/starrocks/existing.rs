//! Tables that HeavenBase did not create: compared with the catalog, and left as they are. See
//! `docs/decisions/0007-existing-tables.md`.

use super::codec;
use super::core::Core;
use crate::backends::sql::existing::{ANY_TEXT, FoundColumn, FoundTable, check as compare, no_such_path, not_there};
use crate::backends::sql::forms::corrupt;
use crate::backends::sql::{Sql, Statement};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{KeyKind, Part};
use crate::types::{LogicalType, Value};

/// Writes which table is meant.
fn of_table(sql: &mut Sql<'_>, database: Option<&str>, table: &str) {
    sql.push(" WHERE table_schema = ");
    match database {
        Some(name) => sql.bind(Value::Text(name.to_owned())),
        None => sql.push("DATABASE()"),
    };
    sql.push(" AND table_name = ").bind(Value::Text(table.to_owned()));
}

/// Compares the table with the part; changes nothing.
pub(super) async fn check(core: &Core, part: &Part) -> Result<Ensured> {
    for column in &part.columns {
        let plain = matches!(column.placement, Placement::InlineColumn | Placement::JsonField);
        if !plain || matches!(column.logical, LogicalType::List(_) | LogicalType::Vector(_)) {
            let why = format!("an existing table holds single values and JSON: store the field as InlineColumn, not {}", column.placement);
            return Err(Error::new(ErrorKind::SchemaMismatch, why).at_field(column.name));
        }
    }
    if part.key().kind == KeyKind::Uuid {
        let why = "the server has no type for UUIDs, and text of them may be in capitals: say #[id(column = …, as = String)]";
        return Err(Error::new(ErrorKind::SchemaMismatch, why).at_field(crate::schema::ID_COLUMN));
    }
    let path: Vec<&str> = part.path().collect();
    let (database, table) = match path.as_slice() {
        [table] => (None, *table),
        [database, table] => (Some(*database), *table),
        _ => return Err(no_such_path(part, "a table is named by at most database and table; tables of other catalogs are not mapped")),
    };
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT table_type FROM information_schema.tables");
    of_table(&mut sql, database, table);
    let answer = core.read_rows(&sql.finish()).await?;
    let Some(Value::Text(kind)) = answer.rows.first().and_then(|row| row.first()) else { return Err(not_there(part)) };
    let is_table = kind.eq_ignore_ascii_case("BASE TABLE") || kind.eq_ignore_ascii_case("TABLE");
    let columns = catalog(core, database, table).await?;
    let keys: Vec<&str> = columns.iter().filter(|(_, key)| key == "PRI").map(|(column, _)| column.name.as_str()).collect();
    let key_is_unique = matches!(keys.as_slice(), [only] if only.eq_ignore_ascii_case(part.id_column()));
    // Tables of the other kinds keep a row beside the one that it should replace, or take no update.
    let mut found = FoundTable { writable: is_table && !keys.is_empty(), key_is_unique, ignores_case: true, ..FoundTable::default() };
    found.columns = columns.into_iter().map(|(column, _)| column).collect();
    if is_table {
        compare(part, &found)?;
    } else {
        found.columns.iter_mut().for_each(|column| column.nullable = None);
        compare(part, &found)?;
    }
    Ok(Ensured::default())
}

/// The columns, each with what it says of itself as a key.
async fn catalog(core: &Core, database: Option<&str>, table: &str) -> Result<Vec<(FoundColumn, String)>> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT column_name, data_type, column_type, is_nullable, COALESCE(character_maximum_length, 0), ");
    sql.push("COALESCE(numeric_precision, 0), COALESCE(numeric_scale, 0), column_default IS NOT NULL, column_key, extra ");
    sql.push("FROM information_schema.columns");
    of_table(&mut sql, database, table);
    sql.push(" ORDER BY ordinal_position");
    let statement: Statement = sql.finish();
    let one = |row: Vec<Value>| -> Result<(FoundColumn, String)> {
        let text = |at: usize| row.get(at).and_then(Value::as_text).unwrap_or_default().to_owned();
        let number = |at: usize| codec::whole(row.get(at));
        let name = text(0);
        if name.is_empty() {
            return Err(corrupt());
        }
        let whole = text(2).to_ascii_lowercase();
        let mut column = of_type(&name, &text(1).to_ascii_lowercase(), &whole, number(4)?, number(5)?, number(6)?);
        column.nullable = Some(text(3).eq_ignore_ascii_case("YES"));
        let extra = text(9).to_ascii_lowercase();
        column.generated = extra.contains("generated");
        column.has_default = text(7) == "1" || extra.contains("auto_increment");
        Ok((column, text(8).to_ascii_uppercase()))
    };
    core.read_rows(&statement).await?.rows.into_iter().map(one).collect()
}

/// What a type holds.
fn of_type(name: &str, kind: &str, whole: &str, length: i64, precision: i64, scale: i64) -> FoundColumn {
    let whole_number = |min: i64, max: i64| vec![LogicalType::Int { min, max }];
    let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    let (mut advice, mut exact) = ("", true);
    let holds = match kind {
        "boolean" => vec![LogicalType::Bool],
        "tinyint" if whole == "tinyint(1)" => vec![LogicalType::Bool],
        "tinyint" => whole_number(-128, 127),
        "smallint" => whole_number(i64::from(i16::MIN), i64::from(i16::MAX)),
        "int" => whole_number(i64::from(i32::MIN), i64::from(i32::MAX)),
        "bigint" if whole.contains("unsigned") => {
            advice = "it holds numbers of more than 64 bits: map a view that casts it";
            Vec::new()
        }
        "bigint" => vec![LogicalType::INT, LogicalType::Duration],
        "double" => vec![LogicalType::Float],
        "float" => {
            exact = false;
            vec![LogicalType::Float]
        }
        "decimal" if precision <= 28 => vec![LogicalType::Decimal { precision: small(precision), scale: small(scale) }],
        "decimal" => {
            advice = "it holds more than 28 digits: map a view that casts it";
            Vec::new()
        }
        // Its length counts bytes; a character has up to four. So do ids.
        "varchar" if length > 0 => {
            let text = LogicalType::Text { max: u32::try_from(length / 4).unwrap_or(u32::MAX) };
            if length >= 255 { vec![LogicalType::Id, text] } else { vec![text] }
        }
        "varchar" | "string" => vec![ANY_TEXT],
        "char" => {
            advice = "it is filled with what no text of yours ends in: map a view that casts it to VARCHAR";
            Vec::new()
        }
        "varbinary" | "binary" => {
            exact = length <= 0;
            vec![LogicalType::Bytes]
        }
        "datetime" => vec![LogicalType::Timestamp],
        "date" => vec![LogicalType::Date],
        "json" => {
            // What comes back has its numbers in another form.
            exact = false;
            vec![LogicalType::Json]
        }
        _ => {
            advice = "map a view that casts it to a type that a field has";
            Vec::new()
        }
    };
    FoundColumn { advice, exact, ..FoundColumn::new(name, if whole.is_empty() { kind } else { whole }, holds) }
}
