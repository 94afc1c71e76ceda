//! Reading `#[name(key = value, …)]` so that one mistake gives one message and the rest is still read.

use std::collections::HashSet;

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, LitStr, Meta, Token};

use crate::errors::Errors;

/// One key of an attribute, with the input behind it.
pub struct Key<'a> {
    /// The key as written.
    pub ident: Ident,
    input: ParseStream<'a>,
}

impl Key<'_> {
    /// The key's place.
    pub fn span(&self) -> Span {
        self.ident.span()
    }

    /// Whether a value follows.
    pub fn has_value(&self) -> bool {
        self.input.peek(Token![=])
    }

    /// The value of `key = value`.
    pub fn value<T: Parse>(&self) -> syn::Result<T> {
        if !self.has_value() {
            return Err(syn::Error::new(self.span(), format!("`{0}` takes a value: `{0} = …`", self.ident)));
        }
        self.input.parse::<Token![=]>()?;
        self.input.parse()
    }

    /// The text of `key = "text"`, which may not be empty.
    pub fn text(&self) -> syn::Result<LitStr> {
        if !self.has_value() || !self.input.peek2(LitStr) {
            return Err(syn::Error::new(self.span(), format!("`{0}` takes a text: `{0} = \"…\"`", self.ident)));
        }
        let text: LitStr = self.value()?;
        if text.value().trim().is_empty() {
            return Err(syn::Error::new(text.span(), format!("`{}` cannot be blank", self.ident)));
        }
        Ok(text)
    }

    /// The texts of `key("a", "b")`.
    pub fn texts(&self) -> syn::Result<Vec<LitStr>> {
        if !self.input.peek(syn::token::Paren) {
            return Err(syn::Error::new(
                self.span(),
                format!("`{0}` takes a text, or several: `{0} = \"…\"`, `{0}(\"…\", \"…\")`", self.ident),
            ));
        }
        let content;
        syn::parenthesized!(content in self.input);
        let texts = content.parse_terminated(|input: ParseStream| input.parse::<LitStr>(), Token![,])?;
        if texts.is_empty() {
            return Err(syn::Error::new(self.span(), format!("`{}` says no name", self.ident)));
        }
        Ok(texts.into_iter().collect())
    }

    /// The texts of `key(name(a = "…", b = "…"), other(…))`: of each name its keys with their texts.
    pub fn options(&self) -> syn::Result<Vec<(Ident, Ident, LitStr)>> {
        let form = || syn::Error::new(self.span(), format!("`{0}` takes options of a backend: `{0}(backend(option = \"…\"))`", self.ident));
        if !self.input.peek(syn::token::Paren) {
            return Err(form());
        }
        let (content, mut options) = (group(self.input)?, Vec::new());
        while !content.is_empty() {
            let name = content.call(Ident::parse_any)?;
            if !content.peek(syn::token::Paren) {
                return Err(form());
            }
            let inner = group(&content)?;
            while !inner.is_empty() {
                let key = inner.call(Ident::parse_any)?;
                inner.parse::<Token![=]>()?;
                options.push((name.clone(), key, inner.parse::<LitStr>()?));
                if !inner.is_empty() {
                    inner.parse::<Token![,]>()?;
                }
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        if options.is_empty() { Err(form()) } else { Ok(options) }
    }

    /// Refuses a value behind a key that stands alone.
    pub fn alone(&self) -> syn::Result<()> {
        if self.input.is_empty() || self.input.peek(Token![,]) {
            return Ok(());
        }
        Err(syn::Error::new(self.span(), format!("`{}` takes no value", self.ident)))
    }

    /// The names of `key(a, b)`.
    pub fn names(&self) -> syn::Result<Vec<Ident>> {
        if !self.input.peek(syn::token::Paren) {
            return Err(syn::Error::new(self.span(), format!("`{0}` takes a list of fields: `{0}(a, b)`", self.ident)));
        }
        let content;
        syn::parenthesized!(content in self.input);
        let names = content.parse_terminated(Ident::parse_any, Token![,])?;
        if names.is_empty() {
            return Err(syn::Error::new(self.span(), format!("`{}` names no field", self.ident)));
        }
        Ok(names.into_iter().collect())
    }
}

/// What stands in parentheses.
fn group<'a>(input: ParseStream<'a>) -> syn::Result<syn::parse::ParseBuffer<'a>> {
    let content;
    syn::parenthesized!(content in input);
    Ok(content)
}

/// Reads the keys of an attribute. An unknown or repeated key, and a key whose value `read` refuses, is recorded; the
/// keys after it are read all the same.
pub fn read_keys(attribute: &Attribute, keys: &[&str], repeatable: &[&str], errors: &mut Errors, read: impl FnMut(Key) -> syn::Result<()>) {
    if let Meta::Path(path) = &attribute.meta {
        let name = path.get_ident().map(ToString::to_string).unwrap_or_default();
        return errors.on(path, format!("`#[{name}]` takes keys: {}", listed(keys)));
    }
    let result = attribute.parse_args_with(|input: ParseStream| {
        keys_of(input, keys, repeatable, errors, read);
        Ok(())
    });
    errors.keep(result);
}

fn keys_of(input: ParseStream, keys: &[&str], repeatable: &[&str], errors: &mut Errors, mut read: impl FnMut(Key) -> syn::Result<()>) {
    let mut seen = HashSet::new();
    while !input.is_empty() {
        let Some(ident) = errors.keep(input.call(Ident::parse_any)) else { return skip_value(input) };
        let name = ident.unraw().to_string();
        let result = if !keys.contains(&name.as_str()) {
            Err(syn::Error::new(ident.span(), format!("unknown key `{name}`: expected one of {}", listed(keys))))
        } else if !seen.insert(name.clone()) && !repeatable.contains(&name.as_str()) {
            Err(syn::Error::new(ident.span(), format!("`{name}` is given twice")))
        } else {
            read(Key { ident, input })
        };
        if errors.keep(result).is_none() {
            skip_value(input);
        } else if !input.is_empty() && !input.peek(Token![,]) {
            errors.at(input.span(), "expected `,`");
            skip_value(input);
        }
        // Nothing else can stand here after `skip_value`.
        let _ = input.parse::<Token![,]>();
    }
}

/// Moves to the next comma.
fn skip_value(input: ParseStream) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// ``` `a`, `b`, `c` ```
pub fn listed<T: std::fmt::Display>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The attribute of this name; a second one is recorded.
pub fn only<'a>(attributes: &'a [Attribute], name: &str, errors: &mut Errors) -> Option<&'a Attribute> {
    let mut found = attributes.iter().filter(|a| a.path().is_ident(name));
    let first = found.next();
    for again in found {
        errors.on(again.path(), format!("`#[{name}]` is given twice"));
    }
    first
}
