//! Derive macros of HeavenBase. Use them through the `heavenbase` crate.
#![deny(missing_docs)]

mod attributes;
mod category;
mod entity;
mod errors;
mod layout;
mod logical;
mod names;
mod projection;

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

/// Stores an enum without fields by the name of its variant.
#[proc_macro_derive(Category, attributes(category))]
pub fn derive_category(input: TokenStream) -> TokenStream {
    category::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Stores a newtype as the value it holds.
#[proc_macro_derive(Logical)]
pub fn derive_logical(input: TokenStream) -> TokenStream {
    logical::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Selects some fields of an entity into a struct.
#[proc_macro_derive(Projection, attributes(projection))]
pub fn derive_projection(input: TokenStream) -> TokenStream {
    projection::derive(&parse_macro_input!(input as DeriveInput)).into()
}
