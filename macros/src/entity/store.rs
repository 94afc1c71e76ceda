use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Field, Ident, LitInt, LitStr, Token};

use super::model::{DefaultModel, IndexModel, MetricModel, StoreModel};
use crate::attributes::{listed, read_keys};
use crate::errors::Errors;
use crate::names::wrong_backend_name;

const KEYS: &[&str] = &["to", "as", "index", "unique", "metric", "copy", "name", "default"];
const PLACEMENTS: &[&str] = &["InlineColumn", "JsonField", "SideTable", "VectorIndex", "InvertedIndex"];
const METRICS: &[(&str, &str)] = &[("cosine", "Cosine"), ("l2", "L2"), ("dot", "Dot")];

/// Every `#[store(…)]` of a field.
pub struct Stores {
    /// The placements: at least one, the truth first.
    pub places: Vec<StoreModel>,
    /// The name in storage, where it is another.
    pub name: Option<LitStr>,
    /// `default`, which here does not meet that of the standard library's `derive(Default)`.
    pub default: Option<DefaultModel>,
}

/// Reads every `#[store(…)]` of a field.
pub fn parse(field: &Field, ident: &Ident, errors: &mut Errors) -> Stores {
    let mut stores: Vec<StoreModel> = Vec::new();
    let mut stored_name = None;
    let mut default = None;
    for attribute in field.attrs.iter().filter(|a| a.path().is_ident("store")) {
        let mut store = StoreModel::on_default(attribute.path().get_ident().map_or_else(Span::call_site, Ident::span));
        let mut name: Option<LitStr> = None;
        let first = stores.is_empty();
        read_keys(attribute, KEYS, &[], errors, |key| {
            match key.ident.to_string().as_str() {
                "to" => {
                    let to = key.text()?;
                    if let Some(wrong) = wrong_backend_name(&to.value()) {
                        return Err(syn::Error::new(to.span(), wrong));
                    }
                    store.to = Some(to);
                }
                "as" => store.placement = Some(placement(key.value()?)?),
                "index" if key.has_value() => store.index = Some(key.value()?),
                "index" => {
                    key.alone().map_err(|e| syn::Error::new(e.span(), "write `index`, `index = hnsw` or `index = hnsw(m = 16)`"))?;
                    store.index = Some(IndexModel { method: String::new(), parameters: Vec::new() });
                }
                "unique" => {
                    key.alone()?;
                    store.unique = Some(key.span());
                }
                "metric" => store.metric = Some(metric(&key.text()?)?),
                "copy" => {
                    key.alone()?;
                    store.copy = Some(key.span());
                }
                "default" if !first => {
                    return Err(syn::Error::new(key.span(), "a field has one default: say it in the first `#[store]`"));
                }
                "default" if key.has_value() => default = Some(DefaultModel::Value(Box::new(key.value()?))),
                "default" => {
                    key.alone()?;
                    default = Some(DefaultModel::OfType(key.span()));
                }
                _ => name = Some(stored_as(key.text()?)?),
            }
            Ok(())
        });
        if let Some(name) = name {
            if first {
                stored_name = Some(name);
            } else {
                errors.at(name.span(), "a field has one name in storage: say it in the first `#[store]`");
            }
        }
        match store.copy {
            Some(span) if first => {
                errors.at(span, "the first `#[store]` is the truth, not a copy: put it before the copies");
                store.copy = None;
            }
            None if !first => {
                errors.on(attribute, "a field lies in one place: a second `#[store]` says `copy`");
                continue;
            }
            _ => {}
        }
        if let (Some(span), Some(_)) = (store.unique, store.copy) {
            errors.at(span, "a copy cannot be `unique`: say it in the first `#[store]`, the owner decides it");
            store.unique = None;
        }
        if stores.iter().any(|other| other.backend() == store.backend()) {
            errors.at(store.backend_span(), "the field lies there already: a copy is on another backend");
            continue;
        }
        match (&store.metric, stores.first().map(|truth| &truth.metric)) {
            (Some(mine), Some(Some(truth))) if mine.variant != truth.variant => {
                errors.at(mine.span, "a field has one metric, on every backend the same");
                store.metric = Some(truth.clone());
            }
            (Some(mine), Some(None)) if mine.variant != METRICS[0].1 => {
                errors.at(mine.span, "a field has one metric, on every backend the same: say it in the first `#[store]` too");
                store.metric = None;
            }
            // A copy ranks as the truth does; its own place is where it must be possible.
            (None, Some(Some(truth))) => store.metric = Some(MetricModel { span: store.backend_span(), ..truth.clone() }),
            _ => {}
        }
        stores.push(store);
    }
    if stores.is_empty() {
        stores.push(StoreModel::on_default(ident.span()));
    }
    Stores { places: stores, name: stored_name, default }
}

fn stored_as(name: LitStr) -> syn::Result<LitStr> {
    if name.value() == super::parse::ID || name.value().starts_with("_hb") {
        return Err(syn::Error::new(name.span(), format!("`{}` is the runtime's own name in storage: choose another", name.value())));
    }
    Ok(name)
}

fn placement(ident: Ident) -> syn::Result<Ident> {
    if PLACEMENTS.iter().any(|name| ident == name) {
        Ok(ident)
    } else {
        Err(syn::Error::new(ident.span(), format!("unknown placement `{ident}`: expected one of {}", listed(PLACEMENTS))))
    }
}

fn metric(text: &LitStr) -> syn::Result<MetricModel> {
    let found = METRICS.iter().find(|(name, _)| *name == text.value());
    found.map(|(_, variant)| MetricModel { span: text.span(), variant }).ok_or_else(|| {
        let names: Vec<_> = METRICS.iter().map(|(name, _)| *name).collect();
        syn::Error::new(text.span(), format!("unknown metric `{}`: expected one of {}", text.value(), listed(&names)))
    })
}

impl Parse for IndexModel {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let method = input.call(Ident::parse_any)?.unraw().to_string();
        let mut parameters: Vec<(String, i64)> = Vec::new();
        if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            while !content.is_empty() {
                let name = content.call(Ident::parse_any)?;
                content.parse::<Token![=]>()?;
                let number: LitInt = content.parse()?;
                let value = number.base10_parse()?;
                if parameters.iter().any(|(other, _)| name == other) {
                    return Err(syn::Error::new(name.span(), format!("`{name}` is given twice")));
                }
                parameters.push((name.unraw().to_string(), value));
                if !content.is_empty() {
                    content.parse::<Token![,]>()?;
                }
            }
        }
        Ok(IndexModel { method, parameters })
    }
}
