use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// Everything wrong with one input. Collected, so that one compilation shows all of it.
#[derive(Default)]
pub struct Errors {
    all: Option<syn::Error>,
}

impl Errors {
    /// Records a mistake at a span.
    pub fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Records a mistake that covers these tokens.
    pub fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Records what a parser said.
    pub fn push(&mut self, error: syn::Error) {
        match &mut self.all {
            Some(all) => all.combine(error),
            None => self.all = Some(error),
        }
    }

    /// Keeps the value, or records the error and gives none.
    pub fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// One `compile_error!` a mistake; nothing when there is none.
    pub fn into_tokens(self) -> TokenStream {
        self.all.map(|error| error.to_compile_error()).unwrap_or_default()
    }

    /// The messages, for tests.
    #[cfg(test)]
    pub fn messages(self) -> Vec<String> {
        self.all.into_iter().flatten().map(|error| error.to_string()).collect()
    }
}
