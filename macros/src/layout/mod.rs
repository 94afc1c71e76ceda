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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_gives_its_message() {
        for (text, expected) in [
            ("struct A { a: B }", &[][..]),
            ("struct A { #[layout(default)] a: B, b: B }", &[]),
            ("struct A {}", &["a layout has at least one backend: `main: Sqlite`"]),
            ("struct A(B);", &["a layout is a struct with named fields: the names are those of the backends"]),
            ("enum A {}", &["a layout is a struct: one field a backend"]),
            (
                "struct A { a: B, b: B }",
                &["no default backend: write `#[layout(default)]` on the one that holds the fields that name none"],
            ),
            ("struct A { #[layout(default)] a: B, #[layout(default)] b: B }", &["a second default backend: a layout has one"]),
            ("struct A { #[layout(default = 1)] a: B }", &["`default` takes no value"]),
            ("#[layout(default)] struct A { a: B }", &["`#[layout(default)]` stands on the field of the default backend"]),
            ("struct A { #[layout(default)] a_1: B, a__1: B }", &["`a__1` and `a_1` would both be the constant `A_1`: rename one"]),
            (
                "struct A { #[layout(default)] a: B, Ab: B }",
                &["`Ab` cannot be the name of a backend: lower-case ASCII letters, digits and `_`, a letter first"],
            ),
            (
                "struct A { #[layout(default)] a: B, abcdefghijklmnopqrstuvwxy: B }",
                &["`abcdefghijklmnopqrstuvwxy` has 25 characters: the name of a backend has at most 24"],
            ),
        ] {
            let input: DeriveInput = syn::parse_str(text).unwrap();
            let mut errors = Errors::default();
            let model = parse::parse(&input, &mut errors);
            syn::parse2::<syn::File>(expand::expand(&model)).unwrap();
            assert_eq!(errors.messages(), expected, "{text}");
        }
    }
}
