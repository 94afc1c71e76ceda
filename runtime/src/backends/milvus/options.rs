//! What an entity tells Milvus: `#[entity(options(vectors(partition = "tenant", partitions = "64", consistency = "bounded")))]`.

use super::codec::Store;
use super::config::Consistency;
use super::shape::value_field;
use crate::capability::Placement;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};

/// By which field rows are spread over partitions: a filter on its value looks into one of them.
const PARTITION: &str = "partition";
/// Over how many.
const PARTITIONS: &str = "partitions";
/// What a read is sure to see.
const CONSISTENCY: &str = "consistency";
/// Most partitions of a collection.
const MOST: i64 = 4_096;

/// Checks one option.
pub(super) fn check(name: &str, value: &str) -> Result<()> {
    let known = match name {
        PARTITION => true,
        PARTITIONS => value.parse().is_ok_and(|number: i64| (1..=MOST).contains(&number)),
        CONSISTENCY => level(value).is_some(),
        _ => {
            let why = format!("Milvus has no option `{name}` of an entity: it has {PARTITION}, {PARTITIONS} and {CONSISTENCY}");
            return Err(Error::new(ErrorKind::InvalidSchema, why));
        }
    };
    let why = || format!("the option `{name}` cannot be {value:?}: consistency is strong, bounded or eventually, partitions 1 to {MOST}");
    if known { Ok(()) } else { Err(Error::new(ErrorKind::InvalidSchema, why())) }
}

fn level(value: &str) -> Option<Consistency> {
    Consistency::NAMES.iter().find(|(name, _)| *name == value).map(|(_, level)| *level)
}

/// What the entity says that reads of a part are sure to see.
pub(super) fn consistency(part: &Part) -> Option<Consistency> {
    part.option(CONSISTENCY).and_then(level)
}

/// The column by which rows are spread.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] when there is no such field here, or Milvus cannot spread by it.
pub(super) fn partition(part: &Part) -> Result<Option<&Column>> {
    let invalid = |why: &'static str| Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name);
    let Some(name) = part.option(PARTITION) else {
        return match part.option(PARTITIONS) {
            Some(_) => Err(invalid("`partitions` without `partition`: say the field by which rows are spread")),
            None => Ok(None),
        };
    };
    let (_, column) = part.column(name).ok_or_else(|| invalid("rows are to be spread by a field that does not lie here").at_field(name))?;
    let spreads = column.placement != Placement::VectorIndex && matches!(Store::of(&column.logical), Store::Int | Store::Text);
    if spreads { Ok(Some(column)) } else { Err(invalid("Milvus spreads rows by whole numbers and by text alone").at_field(name)) }
}

/// Whether a server of this version puts rows that it upserts into other partitions than it then looks into: seen on 2.3.5,
/// where a filter on the field found one row in twenty, and not on Lite 3.2. A version that cannot be read is believed.
pub(super) fn misplaces(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < (2, 4))
}

/// Whether a version is that of Milvus Lite in Python; the servers that PyPI ships end in `-lite` too, and are none.
pub(super) fn is_embedded(version: &str) -> bool {
    version.replace('-', "_").to_ascii_lowercase().contains("milvus_lite")
}

/// The field by which a collection's rows are spread.
pub(super) fn partition_field(part: &Part) -> Result<Option<String>> {
    Ok(partition(part)?.map(value_field))
}

/// Over how many partitions; 0 for what the server thinks best.
pub(super) fn partitions(part: &Part) -> i64 {
    part.option(PARTITIONS).and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{is_embedded, misplaces};

    #[test]
    fn versions_before_2_4_misplace_rows() {
        for old in ["2.3.5", "v2.3.22", "2.2", "1.9.1-dev"] {
            assert!(misplaces(old), "{old}");
        }
        for new in ["2.4.0", "v2.5.1-rc", "3.0", "10.1", "milvus_lite-3.2.2", "", "latest"] {
            assert!(!misplaces(new), "{new}");
        }
    }

    #[test]
    fn a_server_that_ends_in_lite_is_not_embedded() {
        assert!(is_embedded("milvus_lite-3.2.2") && is_embedded("milvus-lite 3.2"));
        assert!(!is_embedded("2.3.5-lite") && !is_embedded("v2.3.5") && !is_embedded(""));
    }
}
