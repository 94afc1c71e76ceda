use unicode_segmentation::UnicodeSegmentation;

/// The words of a text: split at Unicode word boundaries ([UAX #29]), runs without a letter or digit dropped, lower-cased
/// by [`lower_simple`]. No stemming, no stop words. This one function decides what `matches` means on every backend.
///
/// ```
/// use heavenbase::types::words;
/// assert_eq!(words("The CAN'T-do list, 3.14!").collect::<Vec<_>>(), ["the", "can't", "do", "list", "3.14"]);
/// ```
///
/// [UAX #29]: https://www.unicode.org/reports/tr29/
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.unicode_words().map(lower_simple)
}

/// Unicode simple lower-casing: one character becomes one character, without regard to its neighbours.
pub fn lower_simple(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // U+0130 is the only character whose full lower case is longer than its simple one; the first is the simple one.
    text.chars().filter_map(|c| c.to_lowercase().next()).collect()
}
