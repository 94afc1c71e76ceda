//! `#[derive(Logical)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Generics, Ident, Member, Type};

use crate::errors::Errors;
use crate::names::TypeAt;

struct Model<'a> {
    ident: &'a Ident,
    generics: &'a Generics,
    /// The one field.
    inner: (Member, &'a Type),
}

pub fn derive(input: &DeriveInput) -> TokenStream {
    match parse(input) {
        Ok(model) => expand(&model),
        Err(error) => {
            let mut errors = Errors::default();
            errors.push(error);
            errors.into_tokens()
        }
    }
}

fn parse(input: &DeriveInput) -> syn::Result<Model<'_>> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "only a struct around one value is `Logical`; for an enum without fields derive `Category`",
        ));
    };
    let fields: Vec<_> = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unnamed(fields) => fields.unnamed.iter().collect(),
        Fields::Unit => Vec::new(),
    };
    match (&fields[..], data.fields.members().next()) {
        ([field], Some(member)) => Ok(Model { ident: &input.ident, generics: &input.generics, inner: (member, &field.ty) }),
        _ => Err(syn::Error::new_spanned(
            &input.ident,
            "a `Logical` struct has one field, whose type it is stored as: `struct Isbn(String);`",
        )),
    }
}

fn expand(model: &Model) -> TokenStream {
    let Model { ident, generics, inner: (member, ty) } = model;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let newtype = quote!(#ident #type_generics);
    let ty = TypeAt::of(ty);
    let [class, base, probe, item_type, constant, nullable] =
        ["Class", "Base", "Probe", "Item", "TYPE", "NULLABLE"].map(|member| ty.logical(member));
    let (to_value, from_value) = (ty.logical("to_value"), ty.logical("from_value"));
    let predicates = where_clause.map(|clause| &clause.predicates);
    // The bound is looked at where it is used, not here: a newtype that cannot be in a list still compiles.
    let item = quote!(where for<'__hb> #ty: __hb::ListItem, #predicates);
    quote! {
        #[allow(unused_qualifications, clippy::absolute_paths, clippy::type_complexity)]
        const _: () = {
            use ::heavenbase::__private as __hb;

            #[diagnostic::do_not_recommend]
            #[automatically_derived]
            impl #impl_generics __hb::Logical for #newtype #where_clause {
                type Class = #class;
                type Base = #base;
                type Probe = #probe;
                type Item = #item_type;
                const TYPE: __hb::LogicalType = #constant;
                const NULLABLE: ::core::primitive::bool = #nullable;

                fn to_value(&self) -> __hb::Value {
                    #to_value(&self.#member)
                }

                fn from_value(value: __hb::Value) -> ::core::result::Result<Self, __hb::Mismatch> {
                    __hb::Ok(Self { #member: #from_value(value)? })
                }
            }

            #[diagnostic::do_not_recommend]
            impl #impl_generics __hb::ListItem for #newtype #item {}

            #[diagnostic::do_not_recommend]
            impl #impl_generics __hb::Operand<#base> for #newtype #where_clause {
                fn into_operand(self) -> __hb::Value {
                    __hb::Logical::to_value(&self)
                }
            }

            #[diagnostic::do_not_recommend]
            impl #impl_generics __hb::Operand<#base> for &#newtype #where_clause {
                fn into_operand(self) -> __hb::Value {
                    __hb::Logical::to_value(self)
                }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_gives_its_message() {
        for (text, expected) in [
            ("struct A(String);", None),
            ("struct A { b: String }", None),
            ("struct A;", Some("a `Logical` struct has one field, whose type it is stored as: `struct Isbn(String);`")),
            ("struct A(u8, u8);", Some("a `Logical` struct has one field, whose type it is stored as: `struct Isbn(String);`")),
            ("enum A { B }", Some("only a struct around one value is `Logical`; for an enum without fields derive `Category`")),
        ] {
            let input: DeriveInput = syn::parse_str(text).unwrap();
            assert_eq!(parse(&input).err().map(|e| e.to_string()).as_deref(), expected, "{text}");
        }
    }
}
