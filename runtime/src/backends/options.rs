use std::time::Duration;

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
/// A text of the form `${NAME}` stands for that environment variable, so that credentials stay out of files. Options have the names of
/// the methods that the backend's type is built with; lengths of time end in `_seconds`; who signs in is `user` and `password`:
///
/// | type | options |
/// |---|---|
/// | `postgres`, `pgvector`, `mysql`, `oceanbase`, `mssql`, `oracle`, `starrocks` | `url`, `max_connections`, `acquire_timeout_seconds`, `idle_timeout_seconds`, `statement_timeout_seconds`, `tls` (`disable`, `prefer`, `require`, `verify_certificate`, `verify_full`), `root_certificate` (a file) |
/// | of them | `pgvector`: `ef_search`, `probes`, `max_scan_tuples`; `oracle`: `wallet`, `wallet_password`; `starrocks`: `stream_load`, `buckets`, `replication_num` |
/// | `trino`, `trino_read_only` | `url`, `user`, `password`, `bearer`, `timeout_seconds`, `retries`, `source`, `session_properties` (an object) |
/// | `elasticsearch` | `url`, `user`, `password`, `api_key`, `bearer`, `timeout_seconds`, `retries`, `refresh` (`wait_for`, `immediate`, `before_search`), `shards`, `replicas` |
/// | `chroma` | `url`, `user`, `password`, `token`, `timeout_seconds`, `retries`, `tenant`, `database` |
/// | `milvus` | `url`, `user`, `password`, `token`, `timeout_seconds`, `retries`, `database`, `consistency` (`strong`, `bounded`, `eventually`) |
/// | `pinecone` | `api_key`, `control_plane`, `prefix`, `cloud`, `region`, `freshness` (`own_writes`, `eventual`), `patience_seconds`, `doubt_seconds`, `timeout_seconds`, `retries` |
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
        B::from_options(&kind, BackendOptions { left: options, known: Vec::new() }).map_err(named)
    }
}

/// The options of one backend, without its type: read as a whole into a struct, or taken out one by one.
pub struct BackendOptions {
    left: serde_json::Map<String, Json>,
    /// The names that were asked for.
    known: Vec<&'static str>,
}

impl std::fmt::Debug for BackendOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.left.keys()).finish()
    }
}

impl BackendOptions {
    /// The options as a struct; let it `deny_unknown_fields`, so that no option is ignored in silence.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for a missing or unknown option or one of the wrong type; never with its value.
    pub fn read<T: DeserializeOwned>(self) -> Result<T> {
        let names: Vec<String> = self.left.keys().cloned().collect();
        serde_json::from_value(Json::Object(self.left)).map_err(|e| {
            // Messages about a wrong type repeat the value; those about names do not.
            let text = e.to_string();
            let about_names = text.starts_with("unknown field") || text.starts_with("missing field");
            invalid(if about_names { text } else { format!("an option among {} is of the wrong type", names.join(", ")) })
        })
    }

    /// Takes out one option; `None` where it is not given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for one of the wrong type; never with its value.
    pub fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>> {
        self.known.push(name);
        let Some(value) = self.left.remove(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| invalid(format!("the option {name:?} is of the wrong type")))
    }

    /// Takes out one option that has to be there.
    ///
    /// # Errors
    /// As [`take`](BackendOptions::take), and where it is missing.
    pub fn need<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T> {
        self.take(name)?.ok_or_else(|| invalid(format!("the option {name:?} is missing")))
    }

    /// Takes out a length of time, in seconds: `0.5` is half of one.
    ///
    /// # Errors
    /// As [`take`](BackendOptions::take), and for what is no length of time.
    pub fn seconds(&mut self, name: &'static str) -> Result<Option<Duration>> {
        let seconds: Option<f64> = self.take(name)?;
        let length = seconds.map(Duration::try_from_secs_f64).transpose();
        length.map_err(|_| invalid(format!("the option {name:?} is no number of seconds")))
    }

    /// Takes out `user` and `password`, which come together.
    ///
    /// # Errors
    /// As [`take`](BackendOptions::take), and for one without the other.
    pub fn credentials(&mut self) -> Result<Option<(String, String)>> {
        match (self.take("user")?, self.take("password")?) {
            (Some(user), Some(password)) => Ok(Some((user, password))),
            (None, None) => Ok(None),
            _ => Err(invalid("give \"user\" and \"password\" together")),
        }
    }

    /// Takes out the name of a choice.
    ///
    /// # Errors
    /// As [`take`](BackendOptions::take), and for a name that is not among them.
    pub fn choice<T: Clone>(&mut self, name: &'static str, among: &[(&str, T)]) -> Result<Option<T>> {
        let Some(chosen) = self.take::<String>(name)? else { return Ok(None) };
        let names = || among.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let found = among.iter().find(|(name, _)| *name == chosen).map(|(_, choice)| choice.clone());
        found.map(Some).ok_or_else(|| invalid(format!("the option {name:?} is one of: {}", names())))
    }

    /// Refuses options that nobody took.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] naming the first of them, and those that there are.
    pub fn finish(self) -> Result<()> {
        match self.left.keys().next() {
            Some(name) => Err(invalid(format!("unknown option {name:?}: there are {}", self.known.join(", ")))),
            None => Ok(()),
        }
    }
}

fn substitute(value: &mut Json) -> Result<()> {
    let Json::String(text) = value else { return Ok(()) };
    let Some(variable) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) else { return Ok(()) };
    let found = std::env::var(variable).map_err(|_| invalid(format!("the environment variable {variable} is not set")))?;
    *value = Json::String(found);
    Ok(())
}

#[cfg(test)]
mod tests;
