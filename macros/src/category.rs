//! `#[derive(Category)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Ident, LitStr, Variant};

use crate::attributes::{only, read_keys};
use crate::errors::Errors;

struct Model<'a> {
    ident: &'a Ident,
    variants: Vec<VariantModel<'a>>,
}

struct VariantModel<'a> {
    ident: &'a Ident,
    /// The name in storage.
    name: String,
    /// Whether it has no fields; others are a mistake, and never read back.
    unit: bool,
}

pub fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse(input, &mut errors);
    let mut tokens = errors.into_tokens();
    tokens.extend(expand(&model));
    tokens
}

fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Model<'a> {
    let mut model = Model { ident: &input.ident, variants: Vec::new() };
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("category")) {
        errors.on(attribute, "`#[category(rename = \"…\")]` stands on a variant");
    }
    if !input.generics.params.is_empty() {
        errors.on(&input.generics, "a category has no parameters: its names are its values");
    }
    let Data::Enum(data) = &input.data else {
        errors.on(&input.ident, "a category is an enum without fields; for a newtype derive `Logical`");
        return model;
    };
    if data.variants.is_empty() {
        errors.on(&input.ident, "a category has at least one variant");
    }
    for variant in &data.variants {
        let unit = matches!(variant.fields, Fields::Unit);
        if !unit {
            errors.on(&variant.fields, format!("`{}` has fields: a category is stored by its name alone", variant.ident));
        }
        let (name, span) = match renamed(variant, errors) {
            Some(name) => (name.value(), name.span()),
            None => (variant.ident.unraw().to_string(), variant.ident.span()),
        };
        if let Some(other) = model.variants.iter().find(|other| other.name == name) {
            errors.at(span, format!("`{}` and `{}` would both be stored as `{name}`", other.ident, variant.ident));
        }
        model.variants.push(VariantModel { ident: &variant.ident, name, unit });
    }
    model
}

fn renamed(variant: &Variant, errors: &mut Errors) -> Option<LitStr> {
    let mut name = None;
    let attribute = only(&variant.attrs, "category", errors)?;
    read_keys(attribute, &["rename"], &[], errors, |key| {
        name = Some(key.text()?);
        Ok(())
    });
    name
}

fn expand(model: &Model) -> TokenStream {
    let Model { ident, variants } = model;
    let expected = ident.to_string();
    let names = variants.iter().map(|v| &v.name);
    let writes = variants.iter().map(|VariantModel { ident, name, .. }| quote!(Self::#ident { .. } => #name));
    let write = match &variants[..] {
        [] => quote!(::core::unreachable!()),
        _ => quote_spanned!(ident.span()=> __hb::Value::Text(__hb::String::from(match self { #(#writes),* }))),
    };
    // Of two variants with one name, which is an error, the second would be a warning besides.
    let first = |position: usize| variants[..position].iter().all(|other| other.name != variants[position].name);
    let reads = variants.iter().enumerate().filter(|(i, v)| v.unit && first(*i));
    let reads = reads.map(|(_, VariantModel { ident, name, .. })| quote!(__hb::Some(#name) => __hb::Ok(Self::#ident)));
    quote_spanned! {ident.span()=>
        #[allow(unused_qualifications, clippy::absolute_paths, clippy::type_complexity)]
        const _: () = {
            use ::heavenbase::__private as __hb;

            #[diagnostic::do_not_recommend]
            #[automatically_derived]
            impl __hb::Logical for #ident {
                type Class = __hb::class::Category;
                type Base = Self;
                type Probe = [f32];
                type Item = Self;
                const TYPE: __hb::LogicalType = __hb::LogicalType::Category(&[#(#names),*]);

                fn to_value(&self) -> __hb::Value {
                    #write
                }

                fn from_value(value: __hb::Value) -> ::core::result::Result<Self, __hb::Mismatch> {
                    match value.as_text() {
                        #(#reads,)*
                        _ => __hb::Err(__hb::Mismatch { expected: #expected, found: value.family() }),
                    }
                }
            }

            #[diagnostic::do_not_recommend]
            impl __hb::ListItem for #ident {}

            #[diagnostic::do_not_recommend]
            impl __hb::Operand<#ident> for #ident {
                fn into_operand(self) -> __hb::Value {
                    __hb::Logical::to_value(&self)
                }
            }

            #[diagnostic::do_not_recommend]
            impl __hb::Operand<#ident> for &#ident {
                fn into_operand(self) -> __hb::Value {
                    __hb::Logical::to_value(self)
                }
            }

            #[diagnostic::do_not_recommend]
            impl __hb::Operand<#ident> for __hb::Option<#ident> {
                fn into_operand(self) -> __hb::Value {
                    __hb::Logical::to_value(&self)
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let mut errors = Errors::default();
        let input: DeriveInput = syn::parse_str(text).unwrap();
        expand(&parse(&input, &mut errors));
        errors.messages()
    }

    #[test]
    fn each_mistake_gives_its_message() {
        for (text, expected) in [
            ("enum A { B, C }", &[][..]),
            ("enum A {}", &["a category has at least one variant"]),
            ("struct A;", &["a category is an enum without fields; for a newtype derive `Logical`"]),
            (
                "enum A { B(u8), C { d: u8 } }",
                &["`B` has fields: a category is stored by its name alone", "`C` has fields: a category is stored by its name alone"],
            ),
            ("enum A { B, #[category(rename = \"B\")] C }", &["`B` and `C` would both be stored as `B`"]),
            ("enum A { #[category(name = \"B\")] C }", &["unknown key `name`: expected one of `rename`"]),
            ("enum A { #[category(rename = \" \")] C }", &["`rename` cannot be blank"]),
            ("#[category(rename = \"B\")] enum A { C }", &["`#[category(rename = \"…\")]` stands on a variant"]),
        ] {
            assert_eq!(messages(text), expected, "{text}");
        }
    }
}
