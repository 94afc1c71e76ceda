use heck::ToShoutySnakeCase;
use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::model::{BackendModel, LayoutModel};
use crate::names::name_type;

/// The impls of a layout.
pub fn expand(model: &LayoutModel) -> TokenStream {
    let LayoutModel { ident, generics, backends, .. } = model;
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let layout = quote!(#ident #type_generics);
    let entries = backends.iter().map(|backend| entry(backend, &layout));
    let binds = backends.iter().map(bind);
    let names = backends.iter().map(|b| &b.name);
    let described = backends.iter().map(described);
    let from_options = model.whole.then(|| {
        quote! {
            fn from_options(options: &__hb::LayoutOptions) -> __hb::Result<Self> {
                options.only(&[#(#names),*])?;
                __hb::Ok(Self { #(#described),* })
            }
        }
    });
    let slots = backends.iter().map(slot);
    let named = backends.iter().map(|b| (name_type(&b.name, b.ident.span()), b.kind)).map(|(name, kind)| {
        quote! {
            impl #impl_generics __hb::HasBackend<#name> for #layout #where_clause {
                type Kind = #kind;
            }
        }
    });
    // Where nothing is marked as default the first stands in, so that this one mistake gives this one message.
    let default = backends.iter().find(|b| b.default).or(backends.first()).map(|b| {
        let kind = b.kind;
        quote! {
            #[diagnostic::do_not_recommend]
            impl #impl_generics __hb::HasBackend<__hb::Name> for #layout #where_clause {
                type Kind = #kind;
            }
        }
    });
    quote! {
        #[allow(unused_qualifications, clippy::absolute_paths, clippy::type_complexity)]
        const _: () = {
            use ::heavenbase::__private as __hb;

            impl #impl_generics #layout #where_clause {
                #(#slots)*
            }

            #[automatically_derived]
            impl #impl_generics __hb::Layout for #layout #where_clause {
                type Itself = Self;
                const ENTRIES: &'static [__hb::LayoutEntry] = &[#(#entries),*];

                async fn connect(self) -> __hb::Result<__hb::Vec<__hb::Binding>> {
                    __hb::Ok(__hb::vec![#(#binds),*])
                }

                #from_options
            }

            #(#named)*
            #default
            #[diagnostic::do_not_recommend]
            impl #impl_generics __hb::HasBackend<__hb::Scanned> for #layout #where_clause {
                type Kind = __hb::ScanOfEveryRow;
            }
        };
    }
}

fn entry(backend: &BackendModel, layout: &TokenStream) -> TokenStream {
    let BackendModel { name, default, .. } = backend;
    let slot = name_type(name, backend.ident.span());
    quote!(__hb::LayoutEntry { name: #name, kinds: __hb::kinds_of::<#layout, #slot>(), default: #default })
}

fn bind(backend: &BackendModel) -> TokenStream {
    let BackendModel { ident, name, .. } = backend;
    let slot = name_type(name, ident.span());
    quote!(__hb::bind::<Self, #slot>(#name, self.#ident).await?)
}

fn described(backend: &BackendModel) -> TokenStream {
    let BackendModel { ident, name, .. } = backend;
    let slot = name_type(name, ident.span());
    quote!(#ident: __hb::described::<Self, #slot>(options, #name)?)
}

fn slot(backend: &BackendModel) -> TokenStream {
    let BackendModel { ident, name, .. } = backend;
    let constant = Ident::new(&name.to_shouty_snake_case(), ident.span());
    let slot = name_type(name, ident.span());
    let doc = format!("The backend `{name}`.");
    quote! {
        #[doc = #doc]
        pub const #constant: __hb::Slot<Self, #slot> = __hb::Slot::new(#name);
    }
}
