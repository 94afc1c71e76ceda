//! Derive macros of HeavenBase. Use them through the `heavenbase` crate.
#![deny(missing_docs)]

mod attributes;
mod entity;
mod errors;
mod layout;
mod names;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Describes which backends an application has: one field a backend.
#[proc_macro_derive(Layout, attributes(layout))]
pub fn derive_layout(input: TokenStream) -> TokenStream {
    layout::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Places the fields of a struct on the backends of a layout.
#[proc_macro_derive(Entity, attributes(entity, store, text, decimal, default, compute, id))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    entity::derive(&parse_macro_input!(input as DeriveInput)).into()
}
