use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Type;

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

/// The alias of [`name_type`] that the code of an entity begins with: `__on_main`.
pub fn name_alias(name: &str, span: Span) -> TokenStream {
    if name.is_empty() {
        return name_type(name, span);
    }
    let alias = syn::Ident::new(&format!("__on_{name}"), span);
    quote_spanned!(span=> #alias)
}

/// The start and the end of a type: a path that begins and ends there is underlined as the type itself.
pub fn ends(ty: &Type) -> (Span, Span) {
    let mut spans = ty.to_token_stream().into_iter().map(|token| token.span());
    let start = spans.next().unwrap_or_else(Span::call_site);
    (start, spans.last().unwrap_or(start))
}

/// `<Type as __hb::Logical>::member`, underlined as the type.
///
/// Whatever asks this of a type does it in these words only: when the type is not `Logical`, the messages are then all the
/// same, and the compiler shows one.
pub fn of_logical(ty: &Type, member: &str) -> TokenStream {
    let (start, end) = ends(ty);
    let member = syn::Ident::new(member, end);
    let head = quote_spanned!(start=> <#ty as __hb::Logical);
    let tail = quote_spanned!(end=> >::#member);
    quote::quote!(#head #tail)
}

/// `__hb::Field<parameters> = __hb::Field::new("name")`, each side underlined as the type.
pub fn new_field(ty: &Type, parameters: &TokenStream, name: &str) -> TokenStream {
    let (start, end) = ends(ty);
    let head = quote_spanned!(start=> __hb::Field<#parameters);
    let tail = quote_spanned!(end=> > =);
    let new = quote_spanned!(start=> __hb::Field::new);
    let name = quote_spanned!(end=> (#name));
    quote::quote!(#head #tail #new #name)
}

/// `__hb::DefaultPlacement<Type>`, underlined as the type.
pub fn default_placement(ty: &Type) -> TokenStream {
    let (start, end) = ends(ty);
    let head = quote_spanned!(start=> __hb::DefaultPlacement<#ty);
    let tail = quote_spanned!(end=> >);
    quote::quote!(#head #tail)
}
