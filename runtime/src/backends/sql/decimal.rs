//! Decimal operands at the scale of their column, so that an engine compares whole numbers of one type and rounds nothing.

use super::Comparison;
use crate::types::{Decimal, LogicalType, Value};

/// Where an operand lies among the values of a `DECIMAL(precision, scale)`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// It is one of them.
    At(Decimal),
    /// It lies between this one and the next.
    After(Decimal),
    /// Below all of them.
    Below,
    /// Above all of them.
    Above,
}

/// Finds the place of an operand.
fn place(number: Decimal, precision: u8, scale: u8) -> Place {
    let outside = if number.is_sign_negative() { Place::Below } else { Place::Above };
    let number = number.normalize();
    let (mantissa, own, wanted) = (number.mantissa(), number.scale(), u32::from(scale));
    let power = |exponent: u32| 10i128.checked_pow(exponent);
    let (floor, exact) = if own <= wanted {
        match power(wanted - own).and_then(|factor| mantissa.checked_mul(factor)) {
            Some(whole) => (whole, true),
            None => return outside,
        }
    } else {
        let Some(divisor) = power(own - wanted) else { return outside };
        (mantissa.div_euclid(divisor), mantissa.rem_euclid(divisor) == 0)
    };
    let Some(bound) = power(u32::from(precision)) else { return outside };
    if floor >= bound {
        return Place::Above;
    }
    if floor <= -bound {
        return Place::Below;
    }
    match Decimal::try_from_i128_with_scale(floor, wanted) {
        Ok(number) if exact => Place::At(number),
        Ok(number) => Place::After(number),
        Err(_) => outside,
    }
}

/// What a comparison with an operand comes down to on a column that is never null.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    /// This comparison, with a value of the column's type.
    With(Comparison, Value),
    /// Nothing satisfies it.
    Never,
    /// Everything does.
    Always,
}

fn place_of(logical: &LogicalType, value: &Value) -> Option<Place> {
    match (logical, value) {
        (LogicalType::Decimal { precision, scale }, Value::Decimal(number)) => Some(place(*number, *precision, *scale)),
        _ => None,
    }
}

/// The comparison of a column with an operand; of others than decimals as it is.
pub(crate) fn bound(logical: &LogicalType, how: Comparison, value: &Value) -> Bound {
    let number = match place_of(logical, value) {
        None => return Bound::With(how, value.clone()),
        Some(Place::At(number)) => return Bound::With(how, Value::Decimal(number)),
        Some(Place::After(number)) => Some(number),
        Some(Place::Below | Place::Above) => None,
    };
    let above = matches!(place_of(logical, value), Some(Place::Above));
    match (how, number) {
        (Comparison::Eq, _) => Bound::Never,
        (Comparison::Ne, _) => Bound::Always,
        (Comparison::Lt | Comparison::Le, Some(number)) => Bound::With(Comparison::Le, Value::Decimal(number)),
        (Comparison::Gt | Comparison::Ge, Some(number)) => Bound::With(Comparison::Gt, Value::Decimal(number)),
        (Comparison::Lt | Comparison::Le, None) => {
            if above {
                Bound::Always
            } else {
                Bound::Never
            }
        }
        (Comparison::Gt | Comparison::Ge, None) => {
            if above {
                Bound::Never
            } else {
                Bound::Always
            }
        }
    }
}

/// The operands that a stored value can equal, as they are stored.
pub(crate) fn possible(logical: &LogicalType, values: &[Value]) -> Vec<Value> {
    let stored = |value: &Value| match place_of(logical, value) {
        Some(Place::At(number)) => Some(Value::Decimal(number)),
        Some(_) => None,
        None => Some(value.clone()),
    };
    values.iter().filter_map(stored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_find_their_place_among_the_values_of_a_column() {
        let at = |text: &str| place(text.parse().unwrap_or_default(), 5, 2);
        let number = |text: &str| text.parse::<Decimal>().unwrap_or_default();
        assert_eq!(at("1.5"), Place::At(number("1.50")));
        assert_eq!(at("1.505"), Place::After(number("1.50")));
        assert_eq!(at("-1.505"), Place::After(number("-1.51")));
        assert_eq!(at("999.99"), Place::At(number("999.99")));
        assert_eq!(at("999.995"), Place::After(number("999.99")));
        assert_eq!(at("1000"), Place::Above);
        assert_eq!(at("-1000"), Place::Below);
        assert_eq!(at("-999.995"), Place::Below);
        assert_eq!(place(Decimal::MAX, 28, 28), Place::Above);
        assert_eq!(place(Decimal::MIN, 28, 28), Place::Below);
        assert_eq!(place(number("0.0000000000000000000000000001"), 28, 0), Place::After(number("0")));
    }
}
