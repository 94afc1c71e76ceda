use std::collections::BTreeSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;
use syn::spanned::Spanned;

use super::model::{ComputeModel, DecimalModel, DefaultModel, EmbedModel, EntityModel, FieldModel, OptionModel, StoreModel, TextModel};
use crate::names::{name_alias, name_type};

/// The impls of an entity.
pub fn expand(model: &EntityModel) -> TokenStream {
    let EntityModel { ident, generics, name, fields, .. } = model;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let entity = quote!(#ident #type_generics);
    let layout = match &model.layout {
        Some(layout) => quote_spanned!(layout.span()=> <#layout as __hb::Layout>::Itself),
        None => quote!(__hb::AnyLayout),
    };
    let of_layout = quote_spanned!(model.layout.span()=> __hb::Of::<#layout>::layout());
    let here = derived("layout");
    let schema = schema(model);
    let names = names(model);
    let constants = fields.iter().filter_map(|field| constant(field, &entity));
    let copies = fields.iter().filter(|field| is_marked(field)).map(copies);
    let checks = fields.iter().map(|field| checks(field, model));
    // The digests come after the fields of the struct: reading a row passes them over.
    let writes = fields.iter().map(write).chain(fields.iter().filter(|f| f.embed().is_some()).map(|_| null()));
    let owner = name_alias(&model.owner_name(), model.owner.as_ref().map_or_else(Span::call_site, LitStr::span));
    let option_checks = model.options.iter().map(|option| {
        let backend = name_alias(&bare(&option.backend), option.backend.span());
        quote_spanned!(option.backend.span()=> let layout = #here; layout.on::<#backend, _>();)
    });
    let owner_check = model.owner.as_ref().map(|literal| quote_spanned!(literal.span()=> let layout = #here; layout.on::<#owner, _>();));
    let (id, decode) = match model.id {
        Some(id) => {
            let reads = fields.chunks(READ_TOGETHER).enumerate().map(|(number, fields)| read(number * READ_TOGETHER, fields));
            let (idents, variables) = (fields.iter().map(|f| f.ident), fields.iter().map(variable));
            (quote!(&self.#id), quote!(#(#reads)* __hb::Ok(Self { #id: row.take_id(), #(#idents: #variables),* })))
        }
        // After a mistake: never run, as the program does not compile.
        None => (quote!(::core::unreachable!()), quote!(::core::unreachable!())),
    };
    let table_check = model.table.as_ref().map(|table| {
        let owner = name_type(&model.owner_name(), table.span);
        quote_spanned!(table.span=> let layout = #here; layout.on::<#owner, _>().maps_tables();)
    });
    let writable = (!model.read_only).then(|| {
        quote! {
            #[diagnostic::do_not_recommend]
            #[automatically_derived]
            impl #impl_generics __hb::Writable for #entity #where_clause {}
        }
    });
    let values = if fields.is_empty() { quote!(_) } else { quote!(values) };
    let row = if model.id.is_none() { quote!(_) } else { quote!(row) };
    quote! {
        #[allow(unused_qualifications, non_camel_case_types, clippy::absolute_paths, clippy::type_complexity)]
        const _: () = {
            use ::heavenbase::__private as __hb;
            #(#names)*

            #[allow(private_interfaces)]
            impl #impl_generics #entity #where_clause {
                /// The id of the row.
                pub const OBJECT_ID: __hb::Field<#entity, __hb::Id, #owner, __hb::placement::InlineColumn> = __hb::Field::new("object_id");
                #(#constants)*
            }

            #[automatically_derived]
            impl #impl_generics __hb::Named for #entity #where_clause {
                const NAME: &'static ::core::primitive::str = #name;
            }

            #[automatically_derived]
            impl #impl_generics __hb::Entity for #entity #where_clause {
                type Layout = #layout;
                const SCHEMA: &'static __hb::EntitySchema = &#schema;

                fn id(&self) -> &__hb::Id {
                    #id
                }

                fn encode(&self, #values: &mut __hb::Vec<__hb::Value>) {
                    #(#writes)*
                }

                fn decode(#row: &mut __hb::RowCursor<'_>) -> __hb::Result<Self> {
                    #decode
                }
            }

            #writable
            #(#copies)*

            #[allow(dead_code)]
            fn check #impl_generics () #where_clause {
                let layout = &#of_layout;
                #owner_check
                #(#option_checks)*
                #table_check
                #(#checks)*
            }
        };
    }
}

/// An alias a backend. Written out each time, the characters of its name would be more for the compiler than the rest.
fn names(model: &EntityModel) -> impl Iterator<Item = TokenStream> {
    let stores = model.fields.iter().flat_map(|field| &field.stores).map(StoreModel::backend);
    let told = model.options.iter().map(|option| bare(&option.backend));
    let names: BTreeSet<String> = stores.chain(told).chain([model.owner_name()]).filter(|name| !name.is_empty()).collect();
    names.into_iter().map(|name| {
        let (alias, name) = (name_alias(&name, Span::call_site()), name_type(&name, Span::call_site()));
        quote!(type #alias = #name;)
    })
}

fn schema(model: &EntityModel) -> TokenStream {
    let EntityModel { name, .. } = model;
    let embedded = model.fields.iter().filter(|field| field.embed().is_some());
    let fields = model.fields.iter().map(field_schema).chain(embedded.map(digest_schema));
    let mut rest = Vec::new();
    if !model.id_from.is_empty() {
        let names = model.id_from.iter().map(bare);
        rest.push(quote!(id: __hb::IdSource::From(&[#(#names),*])));
    }
    if let Some(owner) = &model.owner {
        rest.push(quote!(owner: __hb::Some(#owner)));
    }
    for (key, groups) in [(quote!(indexes), &model.indexes), (quote!(uniques), &model.uniques)] {
        if !groups.is_empty() {
            let groups = groups.iter().map(|group| {
                let names = group.iter().map(bare);
                quote!(&[#(#names),*])
            });
            rest.push(quote!(#key: &[#(#groups),*]));
        }
    }
    if let Some(table) = &model.table {
        let path = &table.path;
        let column = model.key.column.as_ref().map(|column| quote!(key: #column,));
        let kind = model.key.kind.map(|(_, kind)| Ident::new(kind, Span::call_site())).map(|kind| quote!(kind: __hb::KeyKind::#kind,));
        rest.push(quote! {
            existing: __hb::Some(__hb::ExistingTable { #column #kind ..__hb::ExistingTable::at(&[#(#path),*]) })
        });
    }
    if model.read_only {
        rest.push(quote!(read_only: true));
    }
    if !model.options.is_empty() {
        let options = model.options.iter().map(|OptionModel { backend, name, value }| {
            let (backend, name) = (bare(backend), bare(name));
            quote!(__hb::BackendOption { backend: #backend, name: #name, value: #value })
        });
        rest.push(quote!(options: &[#(#options),*]));
    }
    let schema = quote!(__hb::EntitySchema::new(#name, &[#(#fields),*]));
    if rest.is_empty() { schema } else { quote!(__hb::EntitySchema { #(#rest,)* ..#schema }) }
}

/// A field's name as text, without `r#`.
fn bare(name: &Ident) -> String {
    use syn::ext::IdentExt;
    name.unraw().to_string()
}

fn field_schema(field: &FieldModel) -> TokenStream {
    let FieldModel { name, ty, .. } = field;
    let of = ty.logical("FIELD");
    let placements = match &field.stores[..] {
        [store] if store.is_plain() => {
            let (backend, placement) = (name_alias(&store.backend(), Span::call_site()), placement_type(field, store));
            quote!(__hb::at::<#backend, #placement>())
        }
        stores => {
            let placements = stores.iter().map(|store| placement_schema(field, store));
            quote!(&[#(#placements),*])
        }
    };
    let mut schema = quote!(__hb::FieldSchema::of(#name, #of, #placements));
    if let Some(stored) = &field.stored_name {
        schema.extend(quote!(.stored_as(#stored)));
    }
    if let Some(TextModel { max, .. }) = &field.text {
        schema.extend(quote!(.with_text_max(#max)));
    } else if let Some(DecimalModel { precision, scale, .. }) = &field.decimal {
        schema.extend(quote!(.with_decimal(#precision, #scale)));
    }
    if let Some(value) = default_value(field) {
        let to_value = ty.logical("to_value");
        schema.extend(quote!(.with_default(|| {
            let default: #ty = #value;
            #to_value(&default)
        })));
    }
    match &field.compute {
        Some(ComputeModel::Function(_)) => schema.extend(quote!(.computed())),
        Some(ComputeModel::Embed(EmbedModel { embedder, from, .. })) => {
            let embedder = embedder.as_ref().map_or_else(|| DEFAULT_EMBEDDER.to_owned(), LitStr::value);
            let (sources, digest) = (from.iter().map(bare), field.digest_name());
            schema.extend(quote!(.embedded(__hb::EmbeddingSchema { embedder: #embedder, sources: &[#(#sources),*], digest: #digest })));
        }
        None => {}
    }
    schema
}

/// The embedder of an attribute that names none.
const DEFAULT_EMBEDDER: &str = "default";

/// The hidden field beside an embedding.
fn digest_schema(field: &FieldModel) -> TokenStream {
    let backend = name_alias(&field.stores[0].backend(), Span::call_site());
    let name = field.digest_name();
    quote!(__hb::FieldSchema::digest(#name, __hb::at::<#backend, __hb::placement::InlineColumn>()))
}

fn placement_schema(field: &FieldModel, store: &StoreModel) -> TokenStream {
    let backend = store.backend();
    let placement = placement_type(field, store);
    let mut schema = quote!(__hb::PlacementSchema::of::<#placement>(#backend));
    if store.copy.is_some() {
        schema.extend(quote!(.copied()));
    }
    if let Some(index) = &store.index {
        let method = &index.method;
        let parameters = index.parameters.iter().map(|(name, number)| quote!((#name, #number)));
        schema.extend(quote!(.indexed(#method, &[#(#parameters),*])));
    }
    if store.unique.is_some() {
        schema.extend(quote!(.unique()));
    }
    if let Some(metric) = &store.metric {
        let variant = Ident::new(metric.variant, Span::call_site());
        schema.extend(quote!(.ranked(__hb::Metric::#variant)));
    }
    schema
}

fn placement_type(field: &FieldModel, store: &StoreModel) -> TokenStream {
    match &store.placement {
        Some(placement) => quote!(__hb::placement::#placement),
        None => field.ty.default_placement(),
    }
}

/// Whether there is something to know of a field that its type does not say: copies, an embedder.
fn is_marked(field: &FieldModel) -> bool {
    (field.stores.len() > 1 || field.embed().is_some()) && field.constant.is_some()
}

/// The name of the hidden type that knows a field's copies, and whether it has an embedder.
fn copies_type(field: &FieldModel) -> Ident {
    quote::format_ident!("__Copies_{}", field.name, span = Span::call_site())
}

fn constant(field: &FieldModel, entity: &TokenStream) -> Option<TokenStream> {
    let FieldModel { name, docs, ty, .. } = field;
    let constant = field.constant.as_ref()?;
    let truth = &field.stores[0];
    let backend = name_alias(&truth.backend(), truth.backend_span());
    let placement = placement_type(field, truth);
    let copies = is_marked(field).then(|| copies_type(field)).map(|copies| quote!(, #copies));
    let new = ty.new_field(&quote!(#entity, #ty, #backend, #placement #copies), name);
    let doc = format!("The field `{name}`.");
    let gap = (!docs.is_empty()).then(|| quote!(#[doc = ""]));
    Some(quote! {
        #[doc = #doc]
        #gap
        #(#docs)*
        pub const #constant: #new;
    })
}

fn copies(field: &FieldModel) -> TokenStream {
    let marker = copies_type(field);
    let impls = field.stores[1..].iter().map(|store| {
        let backend = name_alias(&store.backend(), store.backend_span());
        // The marker has no generics, so a placement that follows from a type parameter has to be written out.
        let placement = placement_type(field, store);
        quote!(#[diagnostic::do_not_recommend] impl __hb::HasCopy<#backend> for #marker { type Placement = #placement; })
    });
    let embedded = field.embed().map(|_| quote!(#[diagnostic::do_not_recommend] impl __hb::Embedded for #marker {}));
    quote! {
        #[doc(hidden)]
        #[allow(missing_debug_implementations)]
        pub struct #marker;
        #(#impls)*
        #embedded
    }
}

/// The expression of a field's default.
fn default_value(field: &FieldModel) -> Option<TokenStream> {
    let ty = &field.ty;
    Some(match field.default.as_ref()? {
        DefaultModel::OfType(span) => quote_spanned!(*span=> <#ty as ::core::default::Default>::default()),
        DefaultModel::Value(value) => match &**value {
            syn::Expr::Lit(syn::ExprLit { lit: lit @ syn::Lit::Str(_), .. }) => {
                quote_spanned!(lit.span()=> <#ty as ::core::convert::From<&::core::primitive::str>>::from(#lit))
            }
            value => quote!(#value),
        },
    })
}

fn null() -> TokenStream {
    quote!(values.push(__hb::Value::Null);)
}

fn write(field: &FieldModel) -> TokenStream {
    let FieldModel { ident, ty, .. } = field;
    let to_value = ty.logical("to_value");
    // What the struct holds is looked at, though not used: else the compiler says of the field that nobody reads it.
    let read = quote!(let _ = &self.#ident;);
    match &field.compute {
        Some(ComputeModel::Function(function)) => {
            let (values, this) = (derived("values"), derived("self"));
            let write = quote_spanned!(function.span()=> #values.push(#to_value(&#function(#this))););
            quote!(#read #write)
        }
        // The workspace has the embedder.
        Some(ComputeModel::Embed(_)) => {
            let write = null();
            quote!(#read #write)
        }
        None => quote!(values.push(#to_value(&self.#ident));),
    }
}

/// The longest tuple that `RowCursor::read_all` takes.
const READ_TOGETHER: usize = 12;

/// Reads some fields into variables, the first of them at this position.
fn read(position: usize, fields: &[FieldModel]) -> TokenStream {
    let variables = fields.iter().map(variable);
    // As pointers: of a function's own type the call would ask once more whether the field's type is `Logical`.
    let from_values = fields.iter().map(|field| field.ty.logical("from_value"));
    quote!(let (#(#variables,)*) = row.read_all(Self::SCHEMA, #position, (#(#from_values as fn(_) -> _,)*))?;)
}

/// The variable that a field is read into: a name that no constant of the user's can have.
fn variable(field: &FieldModel) -> Ident {
    quote::format_ident!("__{}", field.name, span = Span::mixed_site())
}

/// A local name as the derived code itself knows it. Tokens spanned on what the user wrote may not: where a macro of theirs
/// writes the struct, what is spanned on the call's tokens and what is spanned on the macro's know different local names.
fn derived(name: &str) -> Ident {
    Ident::new(name, Span::call_site())
}

/// Calls whose bounds are the capability questions of a field, each spanned on what the user wrote.
fn checks(field: &FieldModel, model: &EntityModel) -> TokenStream {
    let ty = &field.ty;
    let class = ty.logical("Class");
    let here = derived("layout");
    let stores = field.stores.iter().map(|store| {
        let span = store.backend_span();
        let backend = name_alias(&store.backend(), span);
        let placement = placement_type(field, store);
        let on = quote_spanned!(span=> let layout = #here; layout.on::<#backend, _>());
        let writes = (!model.read_only).then(|| quote_spanned!(span=> .writes()));
        let stores = quote_spanned!(ty.span()=> .stores::<#class, #placement>());
        let ranks = store.metric.as_ref().map(|metric| {
            let variant = Ident::new(metric.variant, metric.span);
            quote_spanned!(metric.span=> .ranks::<__hb::metric::#variant>())
        });
        quote!(#on #writes #stores #ranks;)
    });
    let text = field.text.as_ref().map(|text| quote_spanned!(text.span=> __hb::takes_text::<#class>();));
    let decimal = field.decimal.as_ref().map(|decimal| quote_spanned!(decimal.span=> __hb::takes_decimal::<#class>();));
    let metric = field.stores[0].metric.as_ref().map(|metric| quote_spanned!(metric.span=> __hb::takes_metric::<#class>();));
    let embed = field.embed().map(|embed| {
        let span = embed.span;
        let backend = name_alias(&field.stores[0].backend(), span);
        let sources = embed.from.iter().filter_map(|name| {
            let source = model.fields.iter().find(|other| other.ident == name)?;
            let class = source.ty.logical("Class");
            Some(quote_spanned!(name.span()=> __hb::embeds::<#class>();))
        });
        quote_spanned! {span=>
            __hb::takes_embedding::<#class>();
            let layout = #here;
            layout.on::<#backend, _>().stores::<__hb::class::Text, __hb::placement::InlineColumn>();
            #(#sources)*
        }
    });
    quote!(#(#stores)* #text #decimal #metric #embed)
}
