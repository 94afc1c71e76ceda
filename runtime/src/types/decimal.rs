/// An exact decimal number of up to 28 significant digits ([`rust_decimal`]).
///
/// A field says how many digits it keeps with `#[decimal(precision = 12, scale = 2)]`; a value that would need
/// rounding is refused on write.
pub type Decimal = rust_decimal::Decimal;
