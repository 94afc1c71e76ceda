//! What only the whole entity shows: names that meet, groups that cannot be.

use syn::Ident;

use super::model::{EntityModel, FieldModel};
use crate::attributes::listed;
use crate::errors::Errors;

/// Records what is wrong between fields.
pub fn check(model: &mut EntityModel, errors: &mut Errors) {
    for position in 0..model.fields.len() {
        let (before, rest) = model.fields.split_at_mut(position);
        same_constant(&mut rest[0], before, errors);
    }
    for (position, field) in model.fields.iter().enumerate() {
        let before = &model.fields[..position];
        same_stored_name(field, before, errors);
        if let Some(span) = field.stores[0].unique {
            let backend = field.stores[0].backend();
            // An unnamed backend is the default, whose name only the layout knows: then the workspace checks.
            if !backend.is_empty() && model.owner.as_ref().is_some_and(|owner| owner.value() != backend) {
                errors.at(span, format!("`unique` is decided by the owner `{}`: store the field there", model.owner_name()));
            }
        }
    }
    for group in model.indexes.iter().chain(&model.uniques) {
        let members: Vec<&FieldModel> = group.iter().filter_map(|name| named(model, name, errors)).collect();
        if members.len() == group.len() {
            one_backend(group, &members, errors);
        }
    }
    for name in &model.id_from {
        named(model, name, errors);
    }
    if let (Some(column), None) = (&model.id_column, &model.table) {
        errors.at(column.span(), "`id_column` names a column of a table that exists already: give `table` too");
    }
}

fn named<'m, 'a>(model: &'m EntityModel<'a>, name: &Ident, errors: &mut Errors) -> Option<&'m FieldModel<'a>> {
    let found = model.fields.iter().find(|field| field.ident == name);
    if found.is_none() {
        let names: Vec<_> = model.fields.iter().map(|field| &field.name).collect();
        errors.at(name.span(), format!("no field `{name}`: expected one of {}", listed(&names)));
    }
    found
}

fn same_constant(field: &mut FieldModel, before: &[FieldModel], errors: &mut Errors) {
    let Some(constant) = &field.constant else { return };
    if constant == "OBJECT_ID" || before.iter().any(|other| other.constant.as_ref() == Some(constant)) {
        errors.at(field.ident.span(), format!("another field has the constant `{constant}` already: rename one"));
        field.constant = None;
    }
}

fn same_stored_name(field: &FieldModel, before: &[FieldModel], errors: &mut Errors) {
    let stored = field.stored_as();
    // The default backend may be any of the named ones.
    let may_meet = |a: &str, b: &str| a == b || a.is_empty() || b.is_empty();
    let meets = |other: &&FieldModel| {
        other.stored_as() == stored && other.stores.iter().any(|a| field.stores.iter().any(|b| may_meet(&a.backend(), &b.backend())))
    };
    if let Some(other) = before.iter().find(meets) {
        let span = field.stored_name.as_ref().or(other.stored_name.as_ref()).map_or_else(|| field.ident.span(), syn::LitStr::span);
        errors.at(span, format!("`{}` and `{}` would both be stored as `{stored}`: give one another name", other.name, field.name));
    }
}

fn one_backend(group: &[Ident], members: &[&FieldModel], errors: &mut Errors) {
    for (position, name) in group.iter().enumerate() {
        if group[..position].contains(name) {
            errors.at(name.span(), format!("`{name}` is given twice"));
            return;
        }
    }
    let all_named = members.iter().all(|field| field.stores.iter().all(|store| store.to.is_some()));
    let meet = |backend: &str| members.iter().all(|field| field.stores.iter().any(|store| store.backend() == backend));
    if all_named && !members.iter().flat_map(|field| &field.stores).any(|store| meet(&store.backend())) {
        let span = group.iter().map(Ident::span).next().unwrap_or_else(proc_macro2::Span::call_site);
        errors.at(span, "the fields of a group lie on one backend: no backend has all of these");
    }
}
