//! Tables that HeavenBase did not create: compared with the catalog, and left as they are. See
//! `docs/decisions/0007-existing-tables.md`.

use sqlx::mysql::MySqlConnection;

use super::codec;
use super::core::run;
use crate::backends::sql::Statement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{KeyKind, Part};
use crate::types::{LogicalType, Value};

/// A column of the catalog.
struct Found {
    name: String,
    /// `varchar`, without length.
    kind: String,
    /// `bigint(20) unsigned`.
    whole: String,
    nullable: bool,
    /// Whether it alone is a key that takes no value twice.
    unique: bool,
    /// Most characters, digits or digits of a second.
    size: [i64; 3],
}

/// Where the table is: the database, if the path names one, and the table.
fn place(part: &Part) -> Result<(Option<&str>, &str)> {
    let mut path = part.path();
    match (path.next(), path.next(), path.next()) {
        (Some(table), None, _) => Ok((None, table)),
        (Some(database), Some(table), None) => Ok((Some(database), table)),
        _ => {
            let why = "a path of three names: here a database holds tables and nothing holds databases, say table = \"database.table\"";
            Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name))
        }
    }
}

async fn columns(connection: &mut MySqlConnection, part: &Part) -> Result<(bool, Vec<Found>)> {
    let (database, table) = place(part)?;
    let values = || vec![database.map_or(Value::Null, |name| Value::Text(name.to_owned())), Value::Text(table.to_owned())];
    let text = "SELECT table_type FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
    let Some(kind) =
        run(connection, &Statement { text: text.to_owned(), values: values() }).await?.first().map(|row| codec::read_text(row, 0))
    else {
        let why = format!("the table `{}` that the entity maps is not there", part.table);
        return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
    };
    let view = kind?.to_ascii_uppercase().contains("VIEW");
    let text = "SELECT index_name, MAX(column_name) FROM information_schema.statistics WHERE table_schema = COALESCE(?, DATABASE()) \
                AND table_name = ? AND non_unique = 0 GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(sub_part) IS NULL";
    let keys = run(connection, &Statement { text: text.to_owned(), values: values() }).await?;
    let keys = keys.iter().map(|row| codec::read_text(row, 1)).collect::<Result<Vec<String>>>()?;
    let text = "SELECT column_name, data_type, column_type, is_nullable, CAST(COALESCE(character_maximum_length, numeric_precision, \
                datetime_precision, 0) AS SIGNED), CAST(COALESCE(numeric_scale, 0) AS SIGNED), CAST(COALESCE(datetime_precision, 0) AS SIGNED) \
                FROM information_schema.columns WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
    let rows = run(connection, &Statement { text: text.to_owned(), values: values() }).await?;
    let columns = rows.iter().map(|row| {
        let name = codec::read_text(row, 0)?;
        Ok(Found {
            kind: codec::read_text(row, 1)?.to_ascii_lowercase(),
            whole: codec::read_text(row, 2)?.to_ascii_lowercase(),
            nullable: codec::read_text(row, 3)?.eq_ignore_ascii_case("YES"),
            unique: keys.iter().any(|key| key.eq_ignore_ascii_case(&name)),
            size: [codec::read_whole(row, 4)?, codec::read_whole(row, 5)?, codec::read_whole(row, 6)?],
            name,
        })
    });
    Ok((view, columns.collect::<Result<_>>()?))
}

/// Greatest and least whole number of a type.
fn range(found: &Found) -> Option<(i64, i64)> {
    let unsigned = found.whole.contains("unsigned");
    let bits = match found.kind.as_str() {
        "tinyint" => 8,
        "smallint" => 16,
        "mediumint" => 24,
        "int" => 32,
        "bigint" if !unsigned => return Some((i64::MIN, i64::MAX)),
        _ => return None,
    };
    Some(if unsigned { (0, (1 << bits) - 1) } else { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) })
}

/// Why a column cannot be read as a type, or (`writes`) cannot keep all its values; `None` where it can.
fn unfit(found: &Found, logical: &LogicalType, writes: bool) -> Option<&'static str> {
    let is = |kinds: &[&str]| kinds.contains(&found.kind.as_str());
    const OTHER: &str = "is of another type";
    const NARROW: &str = "does not take every value of the field: make the entity read_only, or widen the column";
    let (reads, keeps) = match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) => {
            let text = is(&["varchar", "tinytext", "text", "mediumtext", "longtext"]);
            // `CHAR` drops blanks at the end when it is written.
            (text || is(&["char", "enum"]), text)
        }
        LogicalType::Text { max } => {
            let bytes = i64::from(*max).saturating_mul(4);
            let wide = if is(&["varchar"]) { i64::from(*max) } else { bytes };
            let text = is(&["varchar", "tinytext", "text", "mediumtext", "longtext"]);
            (text || is(&["char", "enum"]), text && found.size[0] >= wide)
        }
        LogicalType::Bool => (is(&["tinyint"]), true),
        LogicalType::Int { min, max } => match range(found) {
            Some((least, greatest)) => (true, least <= *min && *max <= greatest),
            None => (false, false),
        },
        LogicalType::Duration => (is(&["bigint"]) && range(found).is_some(), true),
        LogicalType::Float => (is(&["double", "float"]), is(&["double"])),
        LogicalType::Decimal { precision, scale } => {
            let (p, s) = (i64::from(*precision), i64::from(*scale));
            (is(&["decimal"]) && found.size[0] <= 28, found.size[1] >= s && found.size[0] - found.size[1] >= p - s)
        }
        LogicalType::Timestamp => (is(&["datetime", "timestamp"]), is(&["datetime"]) && found.size[2] >= 6),
        LogicalType::Date => (is(&["date"]), true),
        LogicalType::Bytes => {
            let bytes = is(&["tinyblob", "blob", "mediumblob", "longblob", "varbinary"]);
            (bytes || is(&["binary"]), is(&["longblob"]))
        }
        LogicalType::Uuid => (found.whole == "binary(16)", true),
        LogicalType::Json => (is(&["json", "longtext"]), true),
        LogicalType::List(_) | LogicalType::Vector(_) => (false, false),
    };
    match (reads, keeps) {
        (false, _) => Some(OTHER),
        (true, false) if writes => Some(NARROW),
        _ => None,
    }
}

/// Checks a table that exists already against the entity.
pub(super) async fn check(connection: &mut MySqlConnection, part: &Part) -> Result<Ensured> {
    let refuse = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    let (view, there) = columns(connection, part).await?;
    let writes = !part.entity.read_only;
    let find = |wanted: &str| there.iter().find(|found| found.name.eq_ignore_ascii_case(wanted));
    let Some(key) = find(part.id_column()) else {
        let why = format!("the table `{}` has no column `{}` for the id: name it with #[id(column = …)]", part.table, part.id_column());
        return Err(refuse(why));
    };
    let kind = part.key().kind;
    if let Some(why) = unfit(key, &kind.logical(), writes && kind == KeyKind::Int) {
        let why = format!("the key `{}` of `{}` is {} and {why}; the entity says {}", key.name, part.table, key.whole, kind.logical());
        return Err(refuse(why));
    }
    if writes && (!key.unique || key.nullable) {
        let why = format!("the key `{}` of `{}` may be null or repeat: make it a key, or the entity read_only", key.name, part.table);
        return Err(refuse(why));
    }
    for column in &part.columns {
        let Some(found) = find(&column.physical) else {
            return Err(refuse(format!("the table `{}` has no column `{}`", part.table, column.physical)).at_field(column.name));
        };
        if let Some(why) = unfit(found, &column.logical, writes) {
            let why = format!("the column `{}` is {} and {why}; the entity says {}", found.name, found.whole, column.logical);
            return Err(refuse(why).at_field(column.name));
        }
        if found.nullable && !column.nullable && !view {
            let why = format!("the column `{}` may be null: make the field optional", found.name);
            return Err(refuse(why).at_field(column.name));
        }
        if writes && !found.nullable && column.nullable {
            let why = format!("the column `{}` takes no null: the field must not be optional, or the entity is read_only", found.name);
            return Err(refuse(why).at_field(column.name));
        }
    }
    Ok(Ensured::default())
}
