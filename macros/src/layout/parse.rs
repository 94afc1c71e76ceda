use heck::ToShoutySnakeCase;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Field, Fields};

use super::model::{BackendModel, LayoutModel};
use crate::attributes::{only, read_keys};
use crate::errors::Errors;
use crate::names::wrong_backend_name;

/// Reads a layout. What is wrong is recorded, what is right is in the model.
pub fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> LayoutModel<'a> {
    let mut model = LayoutModel { ident: &input.ident, generics: &input.generics, backends: Vec::new(), whole: false };
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => {
                errors.on(&input.ident, "a layout is a struct with named fields: the names are those of the backends");
                return model;
            }
        },
        _ => {
            errors.on(&input.ident, "a layout is a struct: one field a backend");
            return model;
        }
    };
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("layout")) {
        errors.on(attribute, "`#[layout(default)]` stands on the field of the default backend");
    }
    let mut defaults = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let name = ident.unraw().to_string();
        if let Some(wrong) = wrong_backend_name(&name) {
            errors.at(ident.span(), wrong);
            continue;
        }
        let constant = name.to_shouty_snake_case();
        if let Some(other) = model.backends.iter().find(|b| b.name.to_shouty_snake_case() == constant) {
            errors.at(ident.span(), format!("`{name}` and `{}` would both be the constant `{constant}`: rename one", other.name));
            continue;
        }
        let default = is_default(field, errors);
        if default {
            defaults.push(ident);
        }
        model.backends.push(BackendModel { ident, name, kind: &field.ty, default });
    }
    model.whole = model.backends.len() == fields.len();
    match &defaults[..] {
        [] if fields.len() == 1 => model.backends.iter_mut().for_each(|b| b.default = true),
        [] if fields.is_empty() => errors.on(&input.ident, "a layout has at least one backend: `main: Sqlite`"),
        [] => {
            errors.at(input.ident.span(), "no default backend: write `#[layout(default)]` on the one that holds the fields that name none")
        }
        [_] => {}
        [_, more @ ..] => {
            for ident in more {
                errors.at(ident.span(), "a second default backend: a layout has one");
                model.backends.iter_mut().filter(|b| b.ident == *ident).for_each(|b| b.default = false);
            }
        }
    }
    model
}

fn is_default(field: &Field, errors: &mut Errors) -> bool {
    let Some(attribute) = only(&field.attrs, "layout", errors) else { return false };
    let mut default = false;
    read_keys(attribute, &["default"], &[], errors, |key| {
        key.alone()?;
        default = true;
        Ok(())
    });
    default
}
