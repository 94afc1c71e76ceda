//! Which types of columns that exist already hold what a field says.

use crate::types::LogicalType;

/// Whether a column of this type, as `information_schema` writes it, holds what a field of a logical type does. One that is
/// only read may be narrower than the field.
///
/// `char(n)` (which compares with blanks at its end) and `real` (whose digits are not those of the same `double`) never do.
pub(super) fn holds(kind: &str, logical: &LogicalType, read_only: bool) -> bool {
    let (name, arguments) = match kind.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
        None => (kind, ""),
    };
    let length = |max: u32| arguments.is_empty() || read_only || arguments.parse::<u32>().is_ok_and(|length| length >= max);
    match logical {
        LogicalType::Id | LogicalType::Ref(_) => name == "varchar" && length(255),
        LogicalType::Category(names) => {
            name == "varchar" && length(names.iter().map(|name| name.chars().count()).max().unwrap_or_default() as u32)
        }
        LogicalType::Text { max } => name == "varchar" && length(*max),
        LogicalType::Bool => kind == "boolean",
        LogicalType::Int { min, max } => match kind {
            "bigint" => true,
            "integer" => read_only || i32::try_from(*min).is_ok() && i32::try_from(*max).is_ok(),
            "smallint" => read_only || i16::try_from(*min).is_ok() && i16::try_from(*max).is_ok(),
            "tinyint" => read_only || i8::try_from(*min).is_ok() && i8::try_from(*max).is_ok(),
            _ => false,
        },
        LogicalType::Duration => kind == "bigint",
        LogicalType::Float => kind == "double",
        LogicalType::Decimal { precision, scale } => {
            let mut numbers = arguments.split(',').map(|number| number.trim().parse::<u32>().unwrap_or_default());
            let (digits, places) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
            let (precision, scale) = (u32::from(*precision), u32::from(*scale));
            let fits = |(a, b): (u32, u32), (c, d): (u32, u32)| a - b.min(a) <= c - d.min(c) && b <= d;
            name == "decimal" && if read_only { fits((digits, places), (precision, scale)) } else { (digits, places) == (precision, scale) }
        }
        LogicalType::Bytes => kind == "varbinary",
        // One with a zone compares as the moment that it is; one that is written has all digits and none.
        LogicalType::Timestamp => kind == "timestamp(6)" || read_only && name == "timestamp",
        LogicalType::Date => kind == "date",
        LogicalType::Uuid => kind == "uuid",
        LogicalType::Json => name == "varchar" && arguments.is_empty() || kind == "json" && read_only,
        LogicalType::List(item) => name == "array" && holds(arguments, item, read_only),
        LogicalType::Vector(_) => kind == "array(real)" || kind == "array(double)" && read_only,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_holds_its_own_kind_alone() {
        let text = LogicalType::Text { max: 15 };
        for (kind, logical, read, written) in [
            ("varchar(15)", text, true, true),
            ("varchar", text, true, true),
            ("varchar(10)", text, true, false),
            ("char(15)", text, false, false),
            ("integer", LogicalType::INT, true, false),
            ("bigint", LogicalType::INT, true, true),
            ("real", LogicalType::Float, false, false),
            ("decimal(12,2)", LogicalType::Decimal { precision: 12, scale: 2 }, true, true),
            ("decimal(12,2)", LogicalType::DECIMAL, true, false),
            ("decimal(38,2)", LogicalType::DECIMAL, false, false),
            ("timestamp(3) with time zone", LogicalType::Timestamp, true, false),
            ("array(varchar)", LogicalType::List(&LogicalType::TEXT), true, true),
            ("array(char(3))", LogicalType::List(&LogicalType::TEXT), false, false),
        ] {
            assert_eq!((holds(kind, &logical, true), holds(kind, &logical, false)), (read, written), "{kind} as {logical}");
        }
    }
}
