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
    for embed in model.fields.iter().filter_map(FieldModel::embed) {
        for (position, name) in embed.from.iter().enumerate() {
            if embed.from[..position].contains(name) {
                errors.at(name.span(), format!("`{name}` is given twice"));
            }
            named(model, name, errors);
        }
    }
    match &model.table {
        Some(_) => existing(model, errors),
        None => {
            if let Some(span) = model.key.span() {
                errors.at(span, "`column` and `as` speak of the key of a table that exists already: give `#[entity(table = …)]` too");
            }
        }
    }
}

/// What a table that exists already cannot be asked for: nothing is made in it, and nothing beside it.
fn existing(model: &EntityModel, errors: &mut Errors) {
    if let (Some((span, "Int")), Some(_)) = (model.key.kind, model.id_from.first()) {
        errors.at(span, "an id that is made from fields is a UUID: the key is `Uuid` or `String`");
    }
    for name in model.indexes.iter().chain(&model.uniques).filter_map(|group| group.first()) {
        errors.at(name.span(), "nothing is made in a table that exists already: leave `index` and `unique` to the database");
    }
    let owner = model.owner_name();
    let first = model.fields.iter().find_map(|field| field.stores[0].to.as_ref());
    for field in &model.fields {
        for (position, store) in field.stores.iter().enumerate() {
            if store.index.is_some() || store.unique.is_some() {
                errors.at(store.span, "nothing is made in a table that exists already: leave `index` and `unique` to the database");
            }
            if let Some(placement) = store.placement.as_ref().filter(|name| *name == "SideTable" || *name == "InvertedIndex") {
                errors.at(placement.span(), "nothing lies beside a table that exists already: store the field as `InlineColumn`");
            }
            let other = store.to.as_ref().is_some_and(|to| match first {
                _ if !owner.is_empty() => to.value() != owner,
                Some(first) => to.value() != first.value(),
                None => false,
            });
            if position > 0 || other {
                let why = "every field of a table that exists already lies in it: give fields of other backends an entity of their own";
                errors.at(store.backend_span(), why);
            }
        }
        if !model.read_only && model.key.column.as_ref().is_some_and(|column| column.value() == field.stored_as()) {
            let why = "the key's column is written as the id: leave the field out, or mark the entity `read_only`";
            errors.at(field.stored_name.as_ref().map_or_else(|| field.ident.span(), syn::LitStr::span), why);
        }
        if let Some(embed) = field.embed() {
            let why = "an embedding has a digest of its sources beside it, and nothing is made in a table that exists already: compute the \
                       vector outside, or store it in an entity of its own";
            errors.at(embed.span, why);
        }
        if field.default.is_some() {
            errors.at(field.ident.span(), "a default is of rows from before a field: in a table that exists already write `Option`");
        }
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
