//! Tables that exist already: what a catalog says of one, compared with what an entity asks of it. A driver reads the
//! catalog into a [`FoundTable`]; the rules are here, the same on every engine.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::LogicalType;

/// A table or view as the catalog describes it.
#[derive(Clone, Debug, Default)]
pub struct FoundTable {
    /// The columns, in the table's order.
    pub columns: Vec<FoundColumn>,
    /// Whether rows can be written to it; a view is read.
    pub writable: bool,
    /// Whether two rows never share a key: a primary key or a unique constraint of this column alone, whose texts are equal
    /// only when their bytes are.
    pub key_is_unique: bool,
    /// Whether names in other letter cases are the same name.
    pub ignores_case: bool,
}

/// One column of a [`FoundTable`].
#[derive(Clone, Debug)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Its type in the engine's words.
    pub type_name: String,
    /// What its values can be read as, with the bounds that the column has. None for types that no field has.
    pub holds: Vec<LogicalType>,
    /// What to do about a type that no field has, or that keeps less than a field writes; empty where there is nothing to say.
    pub advice: &'static str,
    /// Whether it keeps every value that its fields may hold; a `float4` would round them.
    pub exact: bool,
    /// Whether it takes null; `None` where the catalog does not know (a view).
    pub nullable: Option<bool>,
    /// Whether the database gives it a value where a new row has none.
    pub has_default: bool,
    /// Whether the database alone writes it.
    pub generated: bool,
}

impl FoundColumn {
    /// A column that takes null and keeps what it is given.
    pub fn new(name: impl Into<String>, type_name: impl Into<String>, holds: Vec<LogicalType>) -> Self {
        FoundColumn {
            name: name.into(),
            type_name: type_name.into(),
            holds,
            advice: "",
            exact: true,
            nullable: Some(true),
            has_default: false,
            generated: false,
        }
    }
}

/// Text without a bound.
pub const ANY_TEXT: LogicalType = LogicalType::Text { max: u32::MAX };
/// A decimal number without a bound.
pub const ANY_DECIMAL: LogicalType = LogicalType::Decimal { precision: u8::MAX, scale: u8::MAX / 2 };
/// A vector of any length.
pub const ANY_VECTOR: LogicalType = LogicalType::Vector(0);

/// The error of a table that is not there.
pub fn not_there(part: &Part) -> Error {
    let why = format!("the table `{}` that the entity maps is not there, or this user may not see it", part.table);
    Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name)
}

/// The error of a path that the engine has no room for.
pub fn no_such_path(part: &Part, why: &str) -> Error {
    Error::new(ErrorKind::InvalidSchema, format!("the table `{}` cannot be reached: {why}", part.table)).of_entity(part.entity.name)
}

/// Compares a table with the entity that is mapped onto it.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] naming the column, what is there and what was asked.
pub fn check(part: &Part, found: &FoundTable) -> Result<()> {
    let writes = !part.entity.read_only;
    let refuse = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    if writes && !found.writable {
        return Err(refuse(format!("`{}` is a view or a foreign table, which is read: mark the entity `read_only`", part.table)));
    }
    let same = |a: &str, b: &str| if found.ignores_case { a.eq_ignore_ascii_case(b) } else { a == b };
    let named = |name: &str| {
        found.columns.iter().find(|column| same(&column.name, name)).ok_or_else(|| {
            let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
            refuse(format!("the table `{}` has no column `{name}`: it has {}", part.table, names.join(", ")))
        })
    };
    check_key(part, found, named(part.id_column()).map_err(|e| e.at_field(crate::schema::ID_COLUMN))?)?;
    for column in &part.columns {
        let there = named(&column.physical).map_err(|e| e.at_field(column.name))?;
        check_column(part, column, there, writes).map_err(|why| refuse(why).at_field(column.name))?;
    }
    if !writes {
        return Ok(());
    }
    let mapped = |name: &str| same(name, part.id_column()) || part.columns.iter().any(|column| same(&column.physical, name));
    let needed = |column: &&FoundColumn| column.nullable == Some(false) && !column.has_default && !column.generated;
    match found.columns.iter().filter(needed).find(|column| !mapped(&column.name)) {
        Some(column) => Err(refuse(format!(
            "the column `{}` of `{}` takes no null, has no default, and no field: new rows could not be written; add a field, or mark the \
             entity `read_only`",
            column.name, part.table
        ))),
        None => Ok(()),
    }
}

fn check_key(part: &Part, found: &FoundTable, there: &FoundColumn) -> Result<()> {
    let kind = part.key().kind;
    let refuse = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(crate::schema::ID_COLUMN);
    if !there.holds.iter().any(|holds| reads(&kind.logical(), holds)) {
        let instead = there.holds.iter().find_map(|holds| match holds {
            LogicalType::Text { .. } => Some("String"),
            LogicalType::Int { .. } => Some("i64"),
            LogicalType::Uuid => Some("Uuid"),
            _ => None,
        });
        let way_out = match instead {
            Some(rust) => format!("say #[id(column = …, as = {rust})]"),
            None => format!("a key is a whole number, a UUID or text{}", advice(there)),
        };
        return Err(refuse(format!(
            "the key `{}` of `{}` is {}, which is not read as {}: {way_out}",
            there.name,
            part.table,
            there.type_name,
            kind.logical()
        )));
    }
    if !part.entity.read_only {
        if !found.key_is_unique || there.nullable == Some(true) {
            return Err(refuse(format!(
                "the column `{}` of `{}` is no key: rows are written by a column that is unique by its bytes, by itself, and never null; \
                 choose another with #[id(column = …)], or mark the entity `read_only`",
                there.name, part.table
            )));
        }
        if there.generated {
            let why = format!("the database alone writes the key `{}` of `{}`: mark the entity `read_only`", there.name, part.table);
            return Err(refuse(why));
        }
    }
    Ok(())
}

fn advice(there: &FoundColumn) -> String {
    if there.advice.is_empty() { String::new() } else { format!("; {}", there.advice) }
}

fn check_column(part: &Part, column: &Column, there: &FoundColumn, writes: bool) -> std::result::Result<(), String> {
    let place = format!("the column `{}` of `{}`", there.name, part.table);
    let Some(holds) = there.holds.iter().find(|holds| reads(&column.logical, holds)) else {
        return Err(format!("{place} is {}, which no {} field reads{}", there.type_name, column.logical, advice(there)));
    };
    if !column.nullable && there.nullable == Some(true) {
        return Err(format!("{place} takes null and the field is not optional: write `Option<…>`"));
    }
    if !writes {
        return Ok(());
    }
    if there.generated {
        return Err(format!("{place} is written by the database alone: leave the field out, or mark the entity `read_only`"));
    }
    if column.nullable && there.nullable == Some(false) {
        return Err(format!("{place} takes no null and the field is optional: leave `Option` out, or mark the entity `read_only`"));
    }
    if !there.exact || !keeps(&column.logical, holds) {
        return Err(format!(
            "{place} is {}, which does not keep every {} of the field: narrow the field, or mark the entity `read_only`{}",
            there.type_name,
            column.logical,
            advice(there)
        ));
    }
    Ok(())
}

/// Whether a field reads what a column holds.
fn reads(field: &LogicalType, column: &LogicalType) -> bool {
    match (field, column) {
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), LogicalType::Text { .. }) => true,
        (LogicalType::Int { .. }, LogicalType::Int { .. }) | (LogicalType::Decimal { .. }, LogicalType::Decimal { .. }) => true,
        (LogicalType::List(field), LogicalType::List(column)) => reads(field, column),
        (LogicalType::Vector(field), LogicalType::Vector(column)) => *column == 0 || field == column,
        (field, column) => field == column,
    }
}

/// Whether a column, which the field reads, keeps every value of the field.
fn keeps(field: &LogicalType, column: &LogicalType) -> bool {
    match (field, column) {
        (LogicalType::Text { max: most }, LogicalType::Text { max }) => most <= max,
        (LogicalType::Id | LogicalType::Ref(_), LogicalType::Text { max }) => *max >= crate::types::Id::MAX_BYTES as u32,
        (LogicalType::Category(names), LogicalType::Text { max }) => names.iter().all(|name| name.chars().count() <= *max as usize),
        (LogicalType::Int { min: least, max: most }, LogicalType::Int { min, max }) => min <= least && most <= max,
        (LogicalType::Decimal { precision: digits, scale: after }, LogicalType::Decimal { precision, scale }) => {
            after <= scale && digits.saturating_sub(*after) <= precision.saturating_sub(*scale)
        }
        (LogicalType::List(field), LogicalType::List(column)) => keeps(field, column),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_what_is_wider_and_writes_what_is_not() {
        let small = LogicalType::Int { min: -32_768, max: 32_767 };
        assert!(reads(&LogicalType::INT, &small) && reads(&small, &LogicalType::INT));
        assert!(!keeps(&LogicalType::INT, &small) && keeps(&small, &LogicalType::INT));
        assert!(!reads(&LogicalType::Float, &LogicalType::INT));
        let money = LogicalType::Decimal { precision: 12, scale: 2 };
        assert!(keeps(&money, &ANY_DECIMAL) && !keeps(&LogicalType::DECIMAL, &money));
        assert!(keeps(&LogicalType::Category(&["red"]), &LogicalType::Text { max: 3 }));
        assert!(reads(&LogicalType::List(&LogicalType::TEXT), &LogicalType::List(&ANY_TEXT)));
        assert!(reads(&LogicalType::Vector(3), &ANY_VECTOR) && !reads(&LogicalType::Vector(3), &LogicalType::Vector(4)));
    }
}
