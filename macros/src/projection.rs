//! `#[derive(Projection)]`.

use heck::ToShoutySnakeCase;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Generics, Ident, Type};

use crate::attributes::{only, read_keys};
use crate::errors::Errors;

struct Model<'a> {
    ident: &'a Ident,
    generics: &'a Generics,
    /// The entity; absent after a mistake only.
    entity: Option<Type>,
    fields: Vec<FieldModel<'a>>,
}

struct FieldModel<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    /// The entity's constant; none for the score.
    constant: Option<Ident>,
}

pub fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let model = parse(input, &mut errors);
    let mut tokens = errors.into_tokens();
    tokens.extend(expand(&model));
    tokens
}

fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Model<'a> {
    let mut model = Model { ident: &input.ident, generics: &input.generics, entity: None, fields: Vec::new() };
    let Data::Struct(syn::DataStruct { fields: Fields::Named(fields), .. }) = &input.data else {
        errors.on(&input.ident, "a projection is a struct with named fields: those of the entity that it takes");
        return model;
    };
    match only(&input.attrs, "projection", errors) {
        Some(attribute) => {
            let mut seen = false;
            read_keys(attribute, &["of"], &[], errors, |key| {
                seen = true;
                model.entity = Some(key.value()?);
                Ok(())
            });
            if !seen {
                errors.on(attribute, "no entity: write `#[projection(of = …)]`");
            }
        }
        None => errors.on(&input.ident, "no entity: write `#[projection(of = …)]` on the struct"),
    }
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let mut from = None;
        if let Some(attribute) = only(&field.attrs, "projection", errors) {
            read_keys(attribute, &["from"], &[], errors, |key| {
                from = Some(key.value::<Ident>()?);
                Ok(())
            });
        }
        let source = from.as_ref().unwrap_or(ident);
        let constant = match syn::parse_str::<Ident>(&source.unraw().to_string().to_shouty_snake_case()) {
            _ if from.is_none() && is_score(&field.ty) => None,
            Ok(mut constant) => {
                constant.set_span(source.span());
                Some(constant)
            }
            Err(_) => {
                errors.at(source.span(), format!("no entity has a field `{source}`"));
                continue;
            }
        };
        model.fields.push(FieldModel { ident, ty: &field.ty, constant });
    }
    model
}

/// By the look of it: `Score` is the only type that is no field's.
fn is_score(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "Score"))
}

fn expand(model: &Model) -> TokenStream {
    // Without its entity nothing of it can be checked.
    let Some(entity) = &model.entity else { return TokenStream::new() };
    let Model { ident, generics, fields, .. } = model;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let references = fields.iter().filter_map(|FieldModel { ty, constant, .. }| {
        let constant = constant.as_ref()?;
        let field = quote_spanned!(constant.span()=> __hb::selected(<#entity>::#constant));
        let check = quote_spanned!(ty.span()=> .read_as::<#ty>());
        Some(quote!(#field #check))
    });
    let reads = fields.iter().map(|FieldModel { ident, ty, constant }| match constant {
        Some(_) => {
            let name = ident.unraw().to_string();
            quote!(#ident: row.read::<#ty>(#name)?)
        }
        None => quote!(#ident: row.score().map(__hb::Score)?),
    });
    let row = if fields.is_empty() { quote!(_) } else { quote!(row) };
    quote! {
        #[allow(unused_qualifications, clippy::absolute_paths, clippy::type_complexity)]
        const _: () = {
            use ::heavenbase::__private as __hb;

            #[automatically_derived]
            impl #impl_generics __hb::Projection for #ident #type_generics #where_clause {
                type Entity = #entity;

                fn fields() -> __hb::Vec<__hb::FieldRef> {
                    __hb::vec![#(#references),*]
                }

                fn read(#row: &mut __hb::RowCursor<'_>) -> __hb::Result<Self> {
                    __hb::Ok(Self { #(#reads),* })
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
            ("#[projection(of = Product)] struct A { title: String, score: Score }", &[][..]),
            ("struct A { title: String }", &["no entity: write `#[projection(of = …)]` on the struct"]),
            ("#[projection()] struct A { title: String }", &["no entity: write `#[projection(of = …)]`"]),
            ("#[projection] struct A { title: String }", &["`#[projection]` takes keys: `of`", "no entity: write `#[projection(of = …)]`"]),
            (
                "#[projection(from = Product)] struct A { title: String }",
                &["unknown key `from`: expected one of `of`", "no entity: write `#[projection(of = …)]`"],
            ),
            ("struct A(u8);", &["a projection is a struct with named fields: those of the entity that it takes"]),
            ("#[projection(of = Product)] struct A { #[projection(from)] title: String }", &["`from` takes a value: `from = …`"]),
        ] {
            let mut errors = Errors::default();
            let input: DeriveInput = syn::parse_str(text).unwrap();
            expand(&parse(&input, &mut errors));
            assert_eq!(errors.messages(), expected, "{text}");
        }
    }
}
