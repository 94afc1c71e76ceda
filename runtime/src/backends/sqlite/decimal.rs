//! Decimals as text that compares, sorts and groups by bytes exactly as the numbers do.
//!
//! `p` + length of the whole part (`a` is none, `b` one digit, …) + its digits + the fraction's digits without trailing
//! zeros. Negative numbers: `n` + the length turned round + every digit turned round (9 for 0) + `~`, which sorts after
//! every digit, so that the longer fraction comes first. Any operand compares exactly, whatever its scale.

use crate::types::Decimal;

/// The text of a number.
pub(super) fn ordered_text(number: Decimal) -> String {
    let number = number.normalize();
    let digits = number.mantissa().unsigned_abs().to_string();
    let scale = number.scale() as usize;
    let (whole, fraction) = match digits.len().checked_sub(scale) {
        Some(split) => (&digits[..split], digits[split..].to_owned()),
        None => ("", format!("{digits:0>scale$}")),
    };
    let whole = whole.trim_start_matches('0');
    // At most 29 digits: the length fits the letters from `a` on, and `~` back from there.
    let length = whole.len() as u8;
    let mut text = String::with_capacity(whole.len() + fraction.len() + 3);
    if number.is_sign_negative() && !number.is_zero() {
        text.push('n');
        text.push(char::from(b'}' - length));
        text.extend(whole.chars().chain(fraction.chars()).map(turned));
        text.push('~');
    } else {
        text.push('p');
        text.push(char::from(b'A' + length));
        text.push_str(whole);
        // Zero normalises to the digit 0, which is no fraction.
        text.push_str(fraction.trim_end_matches('0'));
    }
    text
}

/// Reads [`ordered_text`] back; `None` for any other text.
pub(super) fn read_ordered(text: &str) -> Option<Decimal> {
    let (negative, rest) = match text.split_at_checked(1)? {
        ("p", rest) => (false, rest),
        ("n", rest) => (true, rest.strip_suffix('~')?),
        _ => return None,
    };
    let (length, digits) = rest.split_at_checked(1)?;
    let length = *length.as_bytes().first()?;
    let whole = usize::from(if negative { b'}'.checked_sub(length)? } else { length.checked_sub(b'A')? });
    let scale = u32::try_from(digits.len().checked_sub(whole)?).ok()?;
    let mut mantissa: i128 = 0;
    for c in digits.chars() {
        let digit = if negative { turned(c) } else { c }.to_digit(10)?;
        mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    Decimal::try_from_i128_with_scale(if negative { -mantissa } else { mantissa }, scale).ok()
}

fn turned(digit: char) -> char {
    match digit {
        '0'..='9' => char::from(b'9' - (digit as u8 - b'0')),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn texts_order_as_numbers_and_read_back() {
        let numbers = [
            "-79228162514264337593543950335",
            "-100",
            "-12.5",
            "-12.05",
            "-12",
            "-1.000000001",
            "-1",
            "-0.5",
            "-0.05",
            "-0.0000000000000000000000000001",
            "0",
            "0.0000000000000000000000000001",
            "0.05",
            "0.5",
            "1",
            "1.000000001",
            "9.99",
            "12",
            "12.05",
            "12.5",
            "99",
            "100",
            "79228162514264337593543950335",
        ];
        let texts: Vec<String> = numbers.iter().map(|n| ordered_text(Decimal::from_str(n).unwrap_or_default())).collect();
        for pair in texts.windows(2) {
            assert!(pair[0].as_bytes() < pair[1].as_bytes(), "{} then {}", pair[0], pair[1]);
        }
        for (number, text) in numbers.iter().zip(&texts) {
            assert_eq!(read_ordered(text), Decimal::from_str(number).ok(), "{text}");
        }
        assert_eq!(ordered_text(Decimal::from_str("1.50").unwrap_or_default()), ordered_text(Decimal::from_str("1.5").unwrap_or_default()));
        assert_eq!(ordered_text(Decimal::from_str("-0.00").unwrap_or_default()), ordered_text(Decimal::ZERO));
        assert_eq!(read_ordered("x"), None);
        assert_eq!(read_ordered("pZ1"), None);
    }
}
