use serde::de::DeserializeOwned;

use super::Connect;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Json;

/// A layout described as data: backend names, each with its kind and options. For tools and deployments; which backends
/// there are, and of which kinds, stays in the layout's struct.
///
/// ```
/// use heavenbase::prelude::*;
/// use heavenbase::backends::LayoutOptions;
///
/// #[derive(Layout)]
/// struct Shop {
///     #[layout(default)]
///     main: OneOf<(Sqlite, InMem)>,
///     scratch: InMem,
/// }
///
/// let options = LayoutOptions::parse(r#"{ "main": { "type": "sqlite", "database": ":memory:" }, "scratch": { "type": "inmem" } }"#)?;
/// let shop = Shop::from_options(&options)?;
/// assert!(Shop::from_options(&LayoutOptions::parse("{}")?).is_err());
/// # drop(shop);
/// # Ok::<(), heavenbase::Error>(())
/// ```
///
/// A text of the form `${NAME}` stands for that environment variable, so that credentials stay out of files.
#[derive(Clone)]
pub struct LayoutOptions(serde_json::Map<String, Json>);

impl std::fmt::Debug for LayoutOptions {
    // The options may hold credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidSchema, message).in_operation("layout options")
}

impl LayoutOptions {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`], with line and column, when it is not a JSON object of objects.
    pub fn parse(text: &str) -> Result<Self> {
        let options: serde_json::Map<String, Json> =
            serde_json::from_str(text).map_err(|e| invalid(format!("not a JSON object at line {}, column {}", e.line(), e.column())))?;
        match options.iter().find(|(_, v)| !v.is_object()) {
            Some((name, _)) => Err(invalid("a backend's options are an object with a \"type\"").on_backend(name)),
            None => Ok(LayoutOptions(options)),
        }
    }

    /// Reads a file in the JSON form.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when it cannot be read; as [`parse`](LayoutOptions::parse).
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let path = path.as_ref();
        let named = |e: Error| e.with("file", path.display());
        let text = std::fs::read_to_string(path)
            .map_err(|e| named(Error::new(ErrorKind::Storage, format!("the layout file cannot be read: {}", e.kind()))))?;
        Self::parse(&text).map_err(named)
    }

    /// Refuses names that the layout does not have. The derive of `Layout` calls this.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] naming the first of them.
    pub fn only(&self, names: &[&str]) -> Result<()> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(invalid(format!("the layout has no backend of this name, it has: {}", names.join(", "))).on_backend(name)),
            None => Ok(()),
        }
    }

    /// The configuration of one backend. The derive of `Layout` calls this.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] when it is missing, of another kind, or has options that the kind does not know.
    pub fn backend<B: Connect>(&self, name: &'static str) -> Result<B> {
        let named = |e: Error| e.on_backend(name);
        let options = self.0.get(name).and_then(Json::as_object).ok_or_else(|| named(invalid("the backend is not described")))?;
        let mut options = options.clone();
        let kind = match options.remove("type") {
            Some(Json::String(kind)) => kind,
            _ => return Err(named(invalid(format!("say which \"type\" it is: {}", B::KINDS.join(" or "))))),
        };
        if !B::KINDS.contains(&kind.as_str()) {
            return Err(named(invalid(format!("\"type\" must be {}", B::KINDS.join(" or ")))));
        }
        for value in options.values_mut() {
            substitute(value).map_err(named)?;
        }
        B::from_options(&kind, BackendOptions(options)).map_err(named)
    }
}

/// The options of one backend, without its type.
pub struct BackendOptions(serde_json::Map<String, Json>);

impl std::fmt::Debug for BackendOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl BackendOptions {
    /// The options as a struct; let it `deny_unknown_fields`, so that no option is ignored in silence.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for a missing or unknown option or one of the wrong type; never with its value.
    pub fn read<T: DeserializeOwned>(self) -> Result<T> {
        let names: Vec<String> = self.0.keys().cloned().collect();
        serde_json::from_value(Json::Object(self.0)).map_err(|e| {
            // Messages about a wrong type repeat the value; those about names do not.
            let text = e.to_string();
            let about_names = text.starts_with("unknown field") || text.starts_with("missing field");
            invalid(if about_names { text } else { format!("an option among {} is of the wrong type", names.join(", ")) })
        })
    }
}

fn substitute(value: &mut Json) -> Result<()> {
    let Json::String(text) = value else { return Ok(()) };
    let Some(variable) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) else { return Ok(()) };
    let found = std::env::var(variable).map_err(|_| invalid(format!("the environment variable {variable} is not set")))?;
    *value = Json::String(found);
    Ok(())
}
