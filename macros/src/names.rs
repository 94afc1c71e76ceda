use proc_macro2::{Ident, Literal, Span, TokenStream};
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
    let alias = Ident::new(&format!("__on_{name}"), span);
    quote_spanned!(span=> #alias)
}

/// A type as the user wrote it, looked at once: a path that begins at its start and ends at its end is underlined as the
/// type itself.
pub struct TypeAt {
    tokens: TokenStream,
    start: Span,
    end: Span,
}

impl ToTokens for TypeAt {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.tokens.clone());
    }
}

impl TypeAt {
    pub fn of(ty: &Type) -> Self {
        let tokens = ty.to_token_stream();
        let mut spans = tokens.clone().into_iter().map(|token| token.span());
        let start = spans.next().unwrap_or_else(Span::call_site);
        let end = spans.last().unwrap_or(start);
        TypeAt { tokens, start, end }
    }

    /// Where it begins: also where a method that is called on its account is underlined.
    pub fn span(&self) -> Span {
        self.start
    }

    /// `<Type as __hb::Logical>::member`.
    ///
    /// Whatever asks this of a type does it in these words only: when the type is not `Logical`, the messages are then all
    /// the same, and the compiler shows one.
    pub fn logical(&self, member: &str) -> TokenStream {
        let TypeAt { tokens, start, end } = self;
        let member = Ident::new(member, *end);
        let mut path = quote_spanned!(*start=> <#tokens as __hb::Logical);
        path.extend(quote_spanned!(*end=> >::#member));
        path
    }

    /// `__hb::Field<parameters> = __hb::Field::new("name")`, each side underlined as the type.
    pub fn new_field(&self, parameters: &TokenStream, name: &str) -> TokenStream {
        let mut field = quote_spanned!(self.start=> __hb::Field<#parameters);
        field.extend(quote_spanned!(self.end=> > =));
        field.extend(quote_spanned!(self.start=> __hb::Field::new));
        field.extend(quote_spanned!(self.end=> (#name)));
        field
    }

    /// `__hb::DefaultPlacement<Type>`.
    pub fn default_placement(&self) -> TokenStream {
        let TypeAt { tokens, start, end } = self;
        let mut placement = quote_spanned!(*start=> __hb::DefaultPlacement<#tokens);
        placement.extend(quote_spanned!(*end=> >));
        placement
    }
}
