use proc_macro2::Span;
use syn::{Attribute, Expr, Generics, Ident, LitStr, Path, Type};

use crate::names::TypeAt;

/// An entity as its derive reads it.
pub struct EntityModel<'a> {
    pub ident: &'a Ident,
    pub generics: &'a Generics,
    /// The entity's name in storage.
    pub name: String,
    /// The layout; absent after a mistake only.
    pub layout: Option<Type>,
    pub owner: Option<LitStr>,
    pub indexes: Vec<Vec<Ident>>,
    pub uniques: Vec<Vec<Ident>>,
    pub table: Option<TableModel>,
    pub key: KeyModel,
    pub read_only: bool,
    pub options: Vec<OptionModel>,
    /// The `object_id` field; absent after a mistake only.
    pub id: Option<&'a Ident>,
    /// The fields that an id is derived from.
    pub id_from: Vec<Ident>,
    /// The other fields, in the struct's order.
    pub fields: Vec<FieldModel<'a>>,
}

impl EntityModel<'_> {
    /// The owner's name; empty for the layout's default.
    pub fn owner_name(&self) -> String {
        self.owner.as_ref().map(LitStr::value).unwrap_or_default()
    }
}

/// `options(search(refresh = "immediate"))`: what one backend is told of the entity.
pub struct OptionModel {
    pub backend: Ident,
    pub name: Ident,
    pub value: LitStr,
}

/// `table = "schema.orders"` or `table("schema", "orders")`: a table that exists already.
pub struct TableModel {
    pub span: Span,
    /// The names of its path, outermost first.
    pub path: Vec<String>,
}

/// `#[id(column = "orderkey", as = i64)]`: the key of a table that exists already.
#[derive(Default)]
pub struct KeyModel {
    pub column: Option<LitStr>,
    /// The variant of `KeyKind`, where it is not text.
    pub kind: Option<(Span, &'static str)>,
}

impl KeyModel {
    /// Where a message about the key belongs; `None` where nothing is said of it.
    pub fn span(&self) -> Option<Span> {
        self.column.as_ref().map(LitStr::span).or(self.kind.map(|(span, _)| span))
    }
}

/// One field of an entity, `object_id` apart.
pub struct FieldModel<'a> {
    pub ident: &'a Ident,
    /// The name without `r#`.
    pub name: String,
    /// The name of its constant; absent after a mistake only.
    pub constant: Option<Ident>,
    pub docs: Vec<&'a Attribute>,
    pub ty: TypeAt,
    /// The name in storage, where it is another.
    pub stored_name: Option<LitStr>,
    /// Where it lies: the truth first, then the copies. Never empty.
    pub stores: Vec<StoreModel>,
    pub text: Option<TextModel>,
    pub decimal: Option<DecimalModel>,
    pub default: Option<DefaultModel>,
    /// What computes it.
    pub compute: Option<ComputeModel>,
}

impl FieldModel<'_> {
    /// What embeds it, if it is an embedding.
    pub fn embed(&self) -> Option<&EmbedModel> {
        match &self.compute {
            Some(ComputeModel::Embed(embed)) => Some(embed),
            _ => None,
        }
    }

    /// The name of the hidden field beside an embedding. No field of the user's has such a name: `_hb` is the runtime's.
    pub fn digest_name(&self) -> String {
        format!("_hb_digest_{}", self.name)
    }

    /// The name in storage.
    pub fn stored_as(&self) -> String {
        self.stored_name.as_ref().map_or_else(|| self.name.clone(), LitStr::value)
    }
}

/// `#[compute(…)]`.
pub enum ComputeModel {
    /// `#[compute(path::to::function)]`.
    Function(Path),
    /// `#[compute(embed, from(title, body))]`.
    Embed(EmbedModel),
}

/// `embed, from(title, body)`, or `embed = "model", from(…)`.
pub struct EmbedModel {
    pub span: Span,
    /// The embedder's name in the workspace; that of the default one when absent.
    pub embedder: Option<LitStr>,
    /// The fields whose text is embedded.
    pub from: Vec<Ident>,
}

/// `#[text(max = 255)]`.
pub struct TextModel {
    pub span: Span,
    pub max: u32,
}

/// `#[decimal(precision = 12, scale = 2)]`.
pub struct DecimalModel {
    pub span: Span,
    pub precision: u8,
    pub scale: u8,
}

/// `#[default]` or `#[default(expression)]`.
pub enum DefaultModel {
    OfType(Span),
    Value(Box<Expr>),
}

/// One `#[store(…)]`.
pub struct StoreModel {
    /// The whole attribute, or the field's name where there is none.
    pub span: Span,
    /// The backend; the layout's default when absent.
    pub to: Option<LitStr>,
    /// How the field lies there; by its type when absent.
    pub placement: Option<Ident>,
    pub index: Option<IndexModel>,
    pub unique: Option<Span>,
    pub metric: Option<MetricModel>,
    pub copy: Option<Span>,
}

impl StoreModel {
    /// A field on the default backend.
    pub fn on_default(span: Span) -> Self {
        StoreModel { span, to: None, placement: None, index: None, unique: None, metric: None, copy: None }
    }

    /// Whether nothing is asked for but the place.
    pub fn is_plain(&self) -> bool {
        self.copy.is_none() && self.index.is_none() && self.unique.is_none() && self.metric.is_none()
    }

    /// The backend's name; empty for the layout's default.
    pub fn backend(&self) -> String {
        self.to.as_ref().map(LitStr::value).unwrap_or_default()
    }

    /// Where a message about the backend belongs.
    pub fn backend_span(&self) -> Span {
        self.to.as_ref().map_or(self.span, LitStr::span)
    }
}

/// `index`, or `index = method(parameter = number, …)`.
pub struct IndexModel {
    pub method: String,
    pub parameters: Vec<(String, i64)>,
}

/// `metric = "cosine"`.
#[derive(Clone)]
pub struct MetricModel {
    pub span: Span,
    /// The variant of `Metric`: `Cosine`.
    pub variant: &'static str,
}
