//! `#[derive(Entity)]`: parse -> model -> expand.

mod check;
mod expand;
mod field;
mod model;
mod parse;
mod store;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;

pub fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let mut model = parse::parse(input, &mut errors);
    check::check(&mut model, &mut errors);
    let mut tokens = errors.into_tokens();
    // Also after errors: the rest of the program then finds the entity and its fields, and one mistake is one message.
    tokens.extend(expand::expand(&model));
    tokens
}
