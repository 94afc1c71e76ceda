use syn::{Generics, Ident, Type};

/// A layout as its derive reads it.
pub struct LayoutModel<'a> {
    pub ident: &'a Ident,
    pub generics: &'a Generics,
    pub backends: Vec<BackendModel<'a>>,
    /// Whether every field is among the backends: after a mistake the struct cannot be built from them.
    pub whole: bool,
}

/// One backend: a field of the struct.
pub struct BackendModel<'a> {
    pub ident: &'a Ident,
    pub name: String,
    pub kind: &'a Type,
    pub default: bool,
}
