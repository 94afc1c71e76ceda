use heck::ToShoutySnakeCase;
use syn::ext::IdentExt;
use syn::{Attribute, Field, Ident, LitInt, Meta};

use super::model::{ComputeModel, DecimalModel, DefaultModel, EmbedModel, FieldModel, TextModel};
use super::store;
use crate::attributes::{only, read_keys};
use crate::errors::Errors;
use crate::names::TypeAt;

/// Most significant digits that `heavenbase::types::Decimal` keeps.
const DECIMAL_DIGITS: u8 = 28;

/// Reads one field.
pub fn parse<'a>(field: &'a Field, ident: &'a Ident, errors: &mut Errors) -> FieldModel<'a> {
    let name = ident.unraw().to_string();
    if name.starts_with("_hb") {
        errors.at(ident.span(), format!("`{name}` cannot be the name of a field: names that start with `_hb` are the runtime's own"));
    }
    let constant = constant(&name, ident);
    if constant.is_none() {
        errors.at(ident.span(), format!("`{name}` cannot be the name of a field: its constant would have no name"));
    }
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("id") || a.path().is_ident("entity")) {
        let place = if attribute.path().is_ident("id") { "on `object_id`" } else { "on the struct" };
        errors.on(attribute, format!("`#[{}]` stands {place}", attribute.path().get_ident().map(ToString::to_string).unwrap_or_default()));
    }
    let stores = store::parse(field, ident, errors);
    let mut default = only(&field.attrs, "default", errors).and_then(|a| default(a, errors));
    match (&default, stores.default) {
        (Some(_), Some(_)) => errors.at(ident.span(), format!("`{name}` has two defaults: `#[default]` and that of `#[store]`")),
        (None, stored) => default = stored,
        (Some(_), None) => {}
    }
    FieldModel {
        ident,
        constant,
        docs: field.attrs.iter().filter(|a| a.path().is_ident("doc")).collect(),
        ty: TypeAt::of(&field.ty),
        stored_name: stores.name,
        stores: stores.places,
        text: only(&field.attrs, "text", errors).and_then(|a| text(a, errors)),
        decimal: only(&field.attrs, "decimal", errors).and_then(|a| decimal(a, errors)),
        default,
        compute: only(&field.attrs, "compute", errors).and_then(|a| compute(a, errors)),
        name,
    }
}

/// The name of a field's constant. A name of underscores and digits leaves nothing to call it.
fn constant(name: &str, ident: &Ident) -> Option<Ident> {
    let mut constant: Ident = syn::parse_str(&name.to_shouty_snake_case()).ok()?;
    constant.set_span(ident.span());
    Some(constant)
}

fn span_of(attribute: &Attribute) -> proc_macro2::Span {
    attribute.path().get_ident().map_or_else(proc_macro2::Span::call_site, Ident::span)
}

fn text(attribute: &Attribute, errors: &mut Errors) -> Option<TextModel> {
    let mut max = None;
    let mut seen = false;
    read_keys(attribute, &["max"], &[], errors, |key| {
        seen = true;
        let number: LitInt = key.value()?;
        match number.base10_parse::<u32>() {
            Ok(0) | Err(_) => Err(syn::Error::new(number.span(), "`max` is a number of characters, 1 to 4294967295")),
            Ok(characters) => {
                max = Some(characters);
                Ok(())
            }
        }
    });
    if !seen && matches!(&attribute.meta, Meta::List(list) if list.tokens.is_empty()) {
        errors.on(attribute, "`#[text]` takes the greatest number of characters: `#[text(max = 255)]`");
    }
    max.map(|max| TextModel { span: span_of(attribute), max })
}

fn decimal(attribute: &Attribute, errors: &mut Errors) -> Option<DecimalModel> {
    let (mut precision, mut scale, mut seen) = (None, None, false);
    read_keys(attribute, &["precision", "scale"], &[], errors, |key| {
        seen = true;
        let number: LitInt = key.value()?;
        let digits = number.base10_parse::<u8>().ok().filter(|digits| *digits <= DECIMAL_DIGITS);
        let Some(digits) = digits else {
            return Err(syn::Error::new(number.span(), format!("`{}` is a number of digits, at most {DECIMAL_DIGITS}", key.ident)));
        };
        if key.ident == "precision" {
            precision = Some((digits, number.span()))
        } else {
            scale = Some((digits, number.span()))
        }
        Ok(())
    });
    match (precision, scale) {
        (Some((0, span)), _) => errors.at(span, format!("`precision` is 1 to {DECIMAL_DIGITS} digits")),
        (Some((precision, _)), Some((scale, span))) if scale > precision => {
            errors.at(span, format!("{scale} digits after the point do not fit into {precision} digits"));
        }
        (Some((precision, _)), Some((scale, _))) => return Some(DecimalModel { span: span_of(attribute), precision, scale }),
        // A key that was there and wrong has its message already.
        _ if seen && (precision.is_none() && scale.is_none()) => {}
        (None, Some(_)) | (Some(_), None) if keys_of(attribute) > 1 => {}
        _ if matches!(attribute.meta, Meta::Path(_)) => {}
        _ => errors.on(attribute, "`#[decimal]` takes both: `#[decimal(precision = 12, scale = 2)]`"),
    }
    None
}

/// How many keys an attribute has, by its commas.
fn keys_of(attribute: &Attribute) -> usize {
    match &attribute.meta {
        Meta::List(list) => {
            list.tokens.clone().into_iter().filter(|t| matches!(t, proc_macro2::TokenTree::Punct(p) if p.as_char() == '=')).count()
        }
        _ => 0,
    }
}

fn default(attribute: &Attribute, errors: &mut Errors) -> Option<DefaultModel> {
    match &attribute.meta {
        Meta::Path(_) => Some(DefaultModel::OfType(span_of(attribute))),
        Meta::List(_) => errors.keep(attribute.parse_args()).map(|value| DefaultModel::Value(Box::new(value))),
        Meta::NameValue(pair) => {
            errors.on(pair, "write `#[default]` or `#[default(expression)]`");
            None
        }
    }
}

fn compute(attribute: &Attribute, errors: &mut Errors) -> Option<ComputeModel> {
    const USE: &str = "write `#[compute(path::to::function)]`, a function from the entity to the field's type, or \
                       `#[compute(embed, from(title, body))]`, which embeds the text of other fields";
    let Meta::List(list) = &attribute.meta else {
        errors.on(attribute, USE);
        return None;
    };
    let mut tokens = list.tokens.clone().into_iter();
    let embeds = matches!(tokens.next(), Some(proc_macro2::TokenTree::Ident(first)) if first == "embed")
        // `embed::of` is the path of a function.
        && !matches!(tokens.next(), Some(proc_macro2::TokenTree::Punct(next)) if next.as_char() == ':');
    if embeds {
        return Some(ComputeModel::Embed(embed(attribute, errors)));
    }
    errors.keep(attribute.parse_args().map_err(|e| syn::Error::new(e.span(), USE))).map(ComputeModel::Function)
}

fn embed(attribute: &Attribute, errors: &mut Errors) -> EmbedModel {
    let mut model = EmbedModel { span: span_of(attribute), embedder: None, from: Vec::new() };
    let mut from_seen = false;
    read_keys(attribute, &["embed", "from"], &[], errors, |key| {
        if key.ident == "embed" {
            model.span = key.span();
            if key.has_value() {
                model.embedder = Some(key.text()?);
            } else {
                key.alone()?;
            }
            return Ok(());
        }
        from_seen = true;
        model.from = key.names()?;
        Ok(())
    });
    if !from_seen {
        let why = "`embed` takes the fields whose text it embeds: `#[compute(embed, from(title, body))]`; a function of this name is \
                   `self::embed`";
        errors.at(model.span, why);
    }
    model
}
