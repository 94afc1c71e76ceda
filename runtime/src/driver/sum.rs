//! Sums that do not depend on the order of what is added, but for the rounding of floats.

use crate::error::{Error, ErrorKind, Result};
use crate::types::{Decimal, Value};

/// A sum of values of one family. Whole numbers and decimals are added wider than they are, so that no part of a sum
/// overflows or is rounded where the whole of it fits.
#[derive(Clone, Debug)]
pub(super) enum Sum {
    Nothing,
    Whole(i128),
    Float(f64),
    Decimal { mantissa: i128, scale: u32 },
}

/// The error of a sum that is no value of its field's family: [`LimitExceeded`](ErrorKind::LimitExceeded).
pub fn sum_overflow() -> Error {
    Error::new(ErrorKind::LimitExceeded, "the sum overflows the field's type: filter to fewer rows, or sum in the application")
}

impl Sum {
    pub(super) fn add(&mut self, value: &Value) -> Result<()> {
        match value {
            Value::Int(n) => self.add_whole(i128::from(*n)),
            Value::Float(n) => self.add_float(*n),
            Value::Decimal(n) => self.add_decimal(*n)?,
            other => return Err(Error::new(ErrorKind::InvalidQuery, format!("values of type {} cannot be summed", other.family()))),
        }
        Ok(())
    }

    /// 2^63 values of 64 bits fit, so that nothing is checked here.
    pub(super) fn add_whole(&mut self, n: i128) {
        *self = Sum::Whole(if let Sum::Whole(sum) = self { *sum + n } else { n });
    }

    pub(super) fn add_float(&mut self, n: f64) {
        *self = Sum::Float(if let Sum::Float(sum) = self { *sum + n } else { n });
    }

    fn add_decimal(&mut self, n: Decimal) -> Result<()> {
        let (mantissa, scale) = match self {
            Sum::Decimal { mantissa, scale } => (*mantissa, *scale),
            _ => (0, n.scale()),
        };
        let common = scale.max(n.scale());
        let total = scaled(mantissa, common - scale).zip(scaled(n.mantissa(), common - n.scale())).and_then(|(a, b)| a.checked_add(b));
        *self = Sum::Decimal { mantissa: total.ok_or_else(sum_overflow)?, scale: common };
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Value> {
        match self {
            Sum::Nothing => Ok(Value::Null),
            Sum::Whole(sum) => i64::try_from(sum).map(Value::Int).map_err(|_| sum_overflow()),
            Sum::Float(sum) if sum.is_finite() => Ok(Value::Float(sum)),
            Sum::Float(_) => Err(sum_overflow()),
            Sum::Decimal { mut mantissa, mut scale } => {
                while mantissa.unsigned_abs() >= 1 << 96 && scale > 0 && mantissa % 10 == 0 {
                    mantissa /= 10;
                    scale -= 1;
                }
                Decimal::try_from_i128_with_scale(mantissa, scale).map(Value::Decimal).map_err(|_| sum_overflow())
            }
        }
    }

    /// The sum as a float, for a mean.
    pub(super) fn to_float(&self) -> f64 {
        match self {
            Sum::Nothing => 0.0,
            Sum::Whole(sum) => *sum as f64,
            Sum::Float(sum) => *sum,
            Sum::Decimal { mantissa, scale } => *mantissa as f64 / 10f64.powi(*scale as i32),
        }
    }
}

fn scaled(mantissa: i128, digits: u32) -> Option<i128> {
    mantissa.checked_mul(10i128.checked_pow(digits)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[&str]) -> Result<Value> {
        let mut sum = Sum::Nothing;
        for value in values {
            sum.add(&Value::Decimal(value.parse().unwrap()))?;
        }
        sum.finish()
    }

    #[test]
    fn decimals_are_added_exactly_or_refused() {
        let most = "79228162514264337593543950335";
        let decimal = |text: &str| Value::Decimal(text.parse().unwrap());
        assert_eq!(sum(&["0.1", "0.20", "3"]).unwrap(), decimal("3.30"));
        assert_eq!(sum(&[most, "1", "-1"]).unwrap(), decimal(most));
        assert_eq!(sum(&[most, "-0.5", "0.5"]).unwrap(), decimal(most));
        assert_eq!(sum(&[most, "1"]).unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert_eq!(sum(&[most, "0.5"]).unwrap_err().kind(), ErrorKind::LimitExceeded);
        assert_eq!(sum(&[most, "0.0000000000000000000000000001"]).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
