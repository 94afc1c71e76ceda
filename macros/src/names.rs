use proc_macro2::{Literal, Span, TokenStream};
use quote::quote_spanned;

/// Longest name of a backend, in characters: what `heavenbase::query::Name` has room for.
pub const LONGEST_BACKEND_NAME: usize = 24;

/// What is wrong with the name of a backend, if anything.
pub fn wrong_backend_name(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() > LONGEST_BACKEND_NAME {
        Some(format!("`{name}` has {} characters: the name of a backend has at most {LONGEST_BACKEND_NAME}", name.chars().count()))
    } else if !name.chars().all(plain) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some(format!("`{name}` cannot be the name of a backend: lower-case ASCII letters, digits and `_`, a letter first"))
    } else {
        None
    }
}

/// The type `Name<'m', 'a', 'i', 'n'>`, every token of it at `span`. The empty name is the layout's default.
pub fn name_type(name: &str, span: Span) -> TokenStream {
    if name.is_empty() {
        return quote_spanned!(span=> __hb::Name);
    }
    let characters = name.chars().map(|c| {
        let mut literal = Literal::character(c);
        literal.set_span(span);
        literal
    });
    quote_spanned!(span=> __hb::Name<#(#characters),*>)
}
