//! Tables that HeavenBase did not create: compared with the catalog, and left as they are. See
//! `docs/decisions/0007-existing-tables.md`.

use crate::backends::sql::Statement;
use crate::backends::sql::core::whole;
use crate::backends::sql::existing::{ANY_DECIMAL, FoundColumn, FoundTable, check as compare, no_such_path, not_there};
use crate::backends::sql::forms::corrupt;
use crate::backends::sql::session::{Phase, Session};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{LogicalType, Value};

const KIND: &str = "SELECT object_type FROM all_objects WHERE object_name = :1 AND owner = NVL(:2, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) \
                    AND object_type IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW') ORDER BY object_type";

const COLUMNS: &str = "SELECT c.column_name, c.data_type, NVL(c.data_length, 0), NVL(c.data_precision, -1), NVL(c.data_scale, -1000), c.nullable, \
                       CASE WHEN c.default_length IS NULL THEN 'N' ELSE 'Y' END, c.virtual_column, c.identity_column, \
                       NVL(c.collation, 'USING_NLS_COMP') FROM all_tab_cols c WHERE c.table_name = :1 \
                       AND c.owner = NVL(:2, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) AND c.hidden_column = 'NO' ORDER BY c.column_id";

const KEYS: &str = "SELECT COUNT(*) FROM all_indexes i WHERE i.table_name = :1 AND i.table_owner = NVL(:2, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) \
                    AND i.uniqueness = 'UNIQUE' AND i.status = 'VALID' AND (SELECT CASE WHEN COUNT(*) = 1 THEN MAX(k.column_name) END \
                    FROM all_ind_columns k WHERE k.index_name = i.index_name AND k.index_owner = i.owner) = :3";

/// Compares the table with the part; changes nothing.
pub(super) async fn check(session: &mut dyn Session, part: &Part) -> Result<Ensured> {
    for column in &part.columns {
        if !matches!(column.placement, Placement::InlineColumn | Placement::JsonField)
            || matches!(column.logical, LogicalType::List(_) | LogicalType::Vector(_))
        {
            let why = format!("an existing table holds single values and JSON: store the field as InlineColumn, not {}", column.placement);
            return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(column.name));
        }
    }
    let path: Vec<&str> = part.path().collect();
    let (owner, table) = match path.as_slice() {
        [table] => (Value::Null, *table),
        [owner, table] => (Value::Text((*owner).to_owned()), *table),
        _ => return Err(no_such_path(part, "a table is named by at most schema and table")),
    };
    let named = |text: &str, more: Option<&str>| {
        let mut values = vec![Value::Text(table.to_owned()), owner.clone()];
        values.extend(more.map(|more| Value::Text(more.to_owned())));
        Statement { text: text.to_owned(), values }
    };
    let Some(Value::Text(kind)) = session.run(&named(KIND, None), Phase::Read).await?.rows.into_iter().flatten().next() else {
        return Err(not_there(part).with("names", "they are quoted: write them as the catalog does, as a rule in capitals"));
    };
    let is_table = kind == "TABLE";
    let mut found = FoundTable { writable: is_table, ..FoundTable::default() };
    for row in session.run(&named(COLUMNS, None), Phase::Read).await?.rows {
        let text = |at: usize| row.get(at).and_then(Value::as_text).ok_or_else(corrupt);
        let number = |at: usize| whole(row.get(at));
        let wanted = part.columns.iter().find(|column| text(0).is_ok_and(|name| name == column.physical)).map(|column| column.logical);
        let mut column = of_type(text(0)?, text(1)?, number(2)?, number(3)?, number(4)?, wanted);
        column.nullable = is_table.then_some(text(5)? != "N");
        column.has_default = text(6)? == "Y" || text(8)? == "YES";
        column.generated = text(7)? == "YES" || text(8)? == "YES";
        if !matches!(text(9)?, "USING_NLS_COMP" | "BINARY") {
            column.holds.clear();
            column.advice = "it has a collation of its own: map a view that gives it with COLLATE BINARY";
        }
        found.columns.push(column);
    }
    let unique = session.run(&named(KEYS, Some(part.id_column())), Phase::Read).await?;
    found.key_is_unique = whole(unique.rows.first().and_then(|row| row.first()))? > 0;
    compare(part, &found).map(|()| Ensured::default())
}

/// What a type holds. Lengths are bytes; a precision of -1 and a scale of -1000 are none. `wanted` is the type of the field there.
fn of_type(name: &str, kind: &str, length: i64, precision: i64, scale: i64, wanted: Option<LogicalType>) -> FoundColumn {
    let small = |n: i64| u8::try_from(n).unwrap_or(u8::MAX);
    let power = |digits: i64| 10i64.checked_pow(u32::try_from(digits).unwrap_or(u32::MAX)).map_or(i64::MAX, |n| n - 1);
    let (mut advice, mut exact) = ("", true);
    let holds = match kind {
        // A character may take four bytes.
        "VARCHAR2" => vec![LogicalType::Text { max: u32::try_from(length / 4).unwrap_or(u32::MAX) }, LogicalType::Json],
        "CLOB" => {
            advice = "it is a CLOB, which the server does not compare: map a view that gives it as VARCHAR2";
            vec![LogicalType::Json]
        }
        "CHAR" | "NCHAR" => {
            advice = "it compares without the blanks at its end: map a view that gives it as VARCHAR2";
            Vec::new()
        }
        "NVARCHAR2" | "NCLOB" => {
            advice = "it compares by UTF-16: map a view that gives it as VARCHAR2";
            Vec::new()
        }
        "NUMBER" if scale == 0 && precision == 1 => {
            vec![LogicalType::Int { min: -9, max: 9 }, LogicalType::Bool, LogicalType::Decimal { precision: 1, scale: 0 }]
        }
        "NUMBER" if scale == 0 && (1..=18).contains(&precision) => {
            let most = power(precision);
            vec![LogicalType::Int { min: -most, max: most }, LogicalType::Decimal { precision: small(precision), scale: 0 }]
        }
        // Without a precision it holds 38 digits, and 64 bits are not all of them: what is more is `Corrupt` when it is read.
        "NUMBER" if scale == 0 => vec![LogicalType::INT, LogicalType::Duration],
        "NUMBER" if precision == -1 && scale == -1000 => vec![ANY_DECIMAL, LogicalType::INT, LogicalType::Duration],
        "NUMBER" if precision <= 28 && (0..=precision).contains(&scale) => {
            vec![LogicalType::Decimal { precision: small(precision), scale: small(scale) }]
        }
        "NUMBER" => {
            advice = "it holds more than 28 digits, or rounds: map a view that casts it";
            Vec::new()
        }
        "BINARY_DOUBLE" => vec![LogicalType::Float],
        "BINARY_FLOAT" | "FLOAT" => {
            exact = false;
            vec![LogicalType::Float]
        }
        "DATE" => {
            // It holds seconds.
            exact = wanted != Some(LogicalType::Timestamp);
            vec![LogicalType::Date, LogicalType::Timestamp]
        }
        kind if kind.starts_with("TIMESTAMP") && scale <= 6 => {
            exact = scale == 6 && !kind.contains("WITH TIME ZONE");
            vec![LogicalType::Timestamp]
        }
        kind if kind.starts_with("TIMESTAMP") => {
            advice = "it holds less than microseconds: map a view that casts it to TIMESTAMP(6)";
            Vec::new()
        }
        "RAW" => {
            exact = wanted == Some(LogicalType::Uuid);
            if length == 16 { vec![LogicalType::Uuid, LogicalType::Bytes] } else { vec![LogicalType::Bytes] }
        }
        "BLOB" => vec![LogicalType::Bytes],
        _ => {
            advice = "map a view that casts it to a type that a field has";
            Vec::new()
        }
    };
    FoundColumn { advice, exact, ..FoundColumn::new(name, kind, holds) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_hold_what_they_keep() {
        let number = |precision, scale| of_type("n", "NUMBER", 22, precision, scale, None).holds;
        assert_eq!(number(5, 0)[0], LogicalType::Int { min: -99_999, max: 99_999 });
        assert_eq!(number(19, 0)[0], LogicalType::INT);
        assert_eq!(number(12, 2), [LogicalType::Decimal { precision: 12, scale: 2 }]);
        assert!(number(38, 10).is_empty() && number(5, -2).is_empty());
        assert_eq!(of_type("t", "VARCHAR2", 4_000, -1, -1000, None).holds[0], LogicalType::Text { max: 1_000 });
        let time = |kind: &str, scale| of_type("t", kind, 11, -1, scale, Some(LogicalType::Timestamp));
        assert!(time("TIMESTAMP(6)", 6).exact && !time("TIMESTAMP(3)", 3).exact && time("TIMESTAMP(9)", 9).holds.is_empty());
        assert!(!time("DATE", -1000).exact && !time("TIMESTAMP(6) WITH TIME ZONE", 6).exact);
        assert!(of_type("u", "RAW", 16, -1, -1000, Some(LogicalType::Uuid)).exact);
    }
}
