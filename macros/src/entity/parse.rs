use heck::ToSnakeCase;
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Type};

use super::field;
use super::model::{EntityModel, KeyModel, OptionModel, TableModel};
use crate::attributes::{Key, only, read_keys};
use crate::errors::Errors;
use crate::names::wrong_backend_name;

/// The name of the field that is the row's id.
pub const ID: &str = "object_id";
const KEYS: &[&str] = &["layout", "name", "owner", "index", "unique", "table", "read_only", "options"];

/// Reads an entity. What is wrong is recorded, what is right is in the model.
pub fn parse<'a>(input: &'a DeriveInput, errors: &mut Errors) -> EntityModel<'a> {
    let mut model = EntityModel {
        ident: &input.ident,
        generics: &input.generics,
        name: input.ident.unraw().to_string().to_snake_case(),
        layout: None,
        owner: None,
        indexes: Vec::new(),
        uniques: Vec::new(),
        table: None,
        key: KeyModel::default(),
        read_only: false,
        options: Vec::new(),
        id: None,
        id_from: Vec::new(),
        fields: Vec::new(),
    };
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Some(&fields.named),
            _ => None,
        },
        _ => None,
    };
    match only(&input.attrs, "entity", errors) {
        Some(attribute) => read_entity(attribute, &mut model, errors),
        // Without a struct there is a greater mistake to report.
        None if fields.is_none() => {}
        None => errors.on(&input.ident, "no layout: write `#[entity(layout = …)]` on the struct, naming the struct of the backends"),
    }
    let Some(fields) = fields else {
        errors.on(&input.ident, "an entity is a struct with named fields");
        return model;
    };
    let mut id_seen = false;
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        if ident.unraw() == ID {
            id_seen = true;
            model.id = read_id(field, &mut model, errors).then_some(ident);
        } else {
            model.fields.push(field::parse(field, ident, errors));
        }
    }
    if !id_seen {
        errors.on(&input.ident, "no field `object_id: Id`: every entity has one");
    }
    model
}

fn read_entity(attribute: &Attribute, model: &mut EntityModel, errors: &mut Errors) {
    read_keys(attribute, KEYS, &["index", "unique", "options"], errors, |key| {
        match key.ident.to_string().as_str() {
            "layout" => model.layout = Some(key.value()?),
            "name" => model.name = key.text()?.value(),
            "owner" => {
                let owner = key.text()?;
                if let Some(wrong) = wrong_backend_name(&owner.value()) {
                    return Err(syn::Error::new(owner.span(), wrong));
                }
                model.owner = Some(owner);
            }
            "index" => model.indexes.push(key.names()?),
            "unique" => model.uniques.push(key.names()?),
            "table" => model.table = Some(table(&key)?),
            "options" => {
                for (backend, name, value) in key.options()? {
                    let same = |other: &OptionModel| other.backend == backend && other.name == name;
                    if model.options.iter().any(same) {
                        return Err(syn::Error::new(name.span(), format!("`{name}` is given twice for `{backend}`")));
                    }
                    if let Some(wrong) = wrong_backend_name(&backend.unraw().to_string()) {
                        return Err(syn::Error::new(backend.span(), wrong));
                    }
                    model.options.push(OptionModel { backend, name, value });
                }
            }
            _ => {
                key.alone()?;
                model.read_only = true;
            }
        }
        Ok(())
    });
    if model.layout.is_none() {
        errors.on(attribute, "no layout: write `#[entity(layout = …)]`, naming the struct of the backends");
    }
}

/// Reads the `object_id` field; says whether it is of its type.
fn read_id(field: &Field, model: &mut EntityModel, errors: &mut Errors) -> bool {
    // By the look of it: a wrong type would otherwise be reported at each of its uses.
    let is_id =
        matches!(&field.ty, Type::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "Id" && s.arguments.is_empty()));
    if !is_id {
        errors.on(&field.ty, "`object_id` is of type `Id`");
    }
    for attribute in &field.attrs {
        let Some(name) = attribute.path().get_ident() else { continue };
        if ["store", "text", "decimal", "default", "compute"].iter().any(|other| name == other) {
            errors.on(
                attribute,
                format!("`#[{name}]` has no meaning on `object_id`: the id lies on every backend that holds a part of the row"),
            );
        }
    }
    if let Some(attribute) = only(&field.attrs, "id", errors) {
        read_keys(attribute, &["from", "column", "as"], &[], errors, |key| {
            match key.ident.unraw().to_string().as_str() {
                "from" => model.id_from = key.names()?,
                "column" => model.key.column = Some(key.text()?),
                _ => model.key.kind = key_kind(&key.value()?)?,
            }
            Ok(())
        });
    }
    is_id
}

/// The kind of key that a type stands for; `None` for text.
fn key_kind(ty: &Type) -> syn::Result<Option<(proc_macro2::Span, &'static str)>> {
    let name = match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.clone()),
        _ => None,
    };
    match name {
        Some(name) if name == "i64" => Ok(Some((name.span(), "Int"))),
        Some(name) if name == "Uuid" => Ok(Some((name.span(), "Uuid"))),
        Some(name) if name == "String" => Ok(None),
        _ => Err(syn::Error::new_spanned(ty, "the key of a table is an `i64`, a `Uuid` or a `String`: its text is the id")),
    }
}

/// `table = "schema.orders"`, split at its dots, or `table("schema", "a.b")`, as it is.
fn table(key: &Key) -> syn::Result<TableModel> {
    let (span, path) = if key.has_value() {
        let text = key.text()?;
        (text.span(), text.value().split('.').map(str::to_owned).collect::<Vec<_>>())
    } else {
        (key.span(), key.texts()?.iter().map(syn::LitStr::value).collect())
    };
    if path.iter().any(|name| name.trim().is_empty()) {
        return Err(syn::Error::new(span, "a table has a name, and so have its schema and catalog: one of them is blank"));
    }
    if path.iter().any(|name| name.contains('\0')) {
        return Err(syn::Error::new(span, "no name in a database holds U+0000"));
    }
    if path.len() > 3 {
        return Err(syn::Error::new(
            span,
            "a table is named by at most catalog, schema and table: write names that hold dots as `table(\"schema\", \"a.b\")`",
        ));
    }
    Ok(TableModel { span, path })
}
