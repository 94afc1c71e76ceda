//! `#[derive(Layout)]`: parse -> model -> expand.

mod expand;
mod model;
mod parse;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::errors::Errors;

pub fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse::parse(input, &mut errors);
    let mut tokens = errors.into_tokens();
    tokens.extend(expand::expand(&model));
    tokens
}
