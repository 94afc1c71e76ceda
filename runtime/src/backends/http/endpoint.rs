use std::time::Duration;

pub(crate) use crate::backends::secret::Secret;
use crate::error::{Error, ErrorKind, Result};

/// Where a service is and how to speak to it: what a driver's builder fills.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The service's base address as the caller gave it; a user and password in it are taken out on connecting.
    pub(crate) url: Secret,
    /// A user and a password.
    pub(crate) basic: Option<(String, Secret)>,
    /// Headers that carry credentials: `Authorization`, `Api-Key`.
    pub(crate) headers: Vec<(&'static str, Secret)>,
    /// How long one operation may take, retries included.
    pub(crate) timeout: Duration,
    /// How often a request is tried again after a temporary failure.
    pub(crate) retries: u32,
}

impl Endpoint {
    /// An endpoint without credentials, 30 seconds an operation, 4 retries.
    pub(crate) fn new(url: impl Into<String>) -> Self {
        Endpoint { url: Secret::new(url), basic: None, headers: Vec::new(), timeout: Duration::from_secs(30), retries: 4 }
    }

    /// The address and the patience of a layout's file, by the names of the builder's methods.
    #[cfg(any(feature = "elasticsearch", feature = "chroma"))]
    pub(crate) fn described(options: &mut crate::backends::BackendOptions) -> Result<Self> {
        let mut endpoint = Endpoint::new(options.need::<String>("url")?);
        endpoint.timeout = options.seconds("timeout_seconds")?.unwrap_or(endpoint.timeout);
        endpoint.retries = options.take("retries")?.unwrap_or(endpoint.retries);
        Ok(endpoint)
    }

    /// The base address without credentials, and the credentials that stood in it.
    pub(super) fn base(&self) -> Result<(reqwest::Url, Option<(String, Secret)>)> {
        // The parser's own message is left out: it may repeat the address, and that a password.
        let invalid = |why: &'static str| Error::new(ErrorKind::InvalidSchema, why);
        let mut url = reqwest::Url::parse(self.url.reveal())
            .map_err(|_| invalid("the address cannot be parsed: give it as http://host:port or https://host:port"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid("the address is neither http://… nor https://…"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("the address has a query or a fragment: give host, port and path alone"));
        }
        let decoded = |text: &str| percent_decoded(text).ok_or_else(|| invalid("the credentials in the address are not UTF-8"));
        let inline = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((decoded(user)?, Secret::new(decoded(password.unwrap_or_default())?))),
        };
        if inline.is_some() && (url.set_username("").is_err() || url.set_password(None).is_err()) {
            return Err(invalid("the credentials cannot be taken out of the address: give them apart"));
        }
        Ok((url, inline))
    }
}

/// How patient a kind over HTTP is, which its field `endpoint` says.
#[cfg(any(feature = "elasticsearch", feature = "chroma", feature = "embeddings_http"))]
macro_rules! patience_options {
    ($kind:ident) => {
        impl $kind {
            /// How long one request may take, retries included: 30 seconds when not said.
            #[must_use]
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.endpoint.timeout = timeout;
                self
            }

            /// How often a request is tried again after a temporary failure, where that is safe: 4 times when not said.
            #[must_use]
            pub fn retries(mut self, retries: u32) -> Self {
                self.endpoint.retries = retries;
                self
            }
        }
    };
}
#[cfg(any(feature = "elasticsearch", feature = "chroma", feature = "embeddings_http"))]
pub(crate) use patience_options;

/// One segment of a path, percent-encoded: no slash, question mark or dot segment in it can change the path.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || byte == b'.' && text.len() > 2 {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A text in which `%40` stands for what it stands for.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = if *first == b'%' { tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok()) } else { None };
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_the_address_and_never_print() {
        let endpoint = Endpoint::new("http://us%40er:hunter%232@host:9200/path");
        let (url, inline) = endpoint.base().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(url.as_str(), "http://host:9200/path");
        assert_eq!(inline, Some(("us@er".into(), Secret::new("hunter#2"))));
        assert!(!format!("{endpoint:?}").contains("hunter"), "{endpoint:?}");
        let wrong = Endpoint::new("ftp://user:hunter2@host").base().map(drop);
        assert!(wrong.is_err_and(|e| !format!("{e:?}").contains("hunter2")));
        let wrong = Endpoint::new("http://user:hunter2@[").base().map(drop);
        assert!(wrong.is_err_and(|e| !format!("{e:?}").contains("hunter2")));
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("a/b?c#d e"), "a%2Fb%3Fc%23d%20e");
        assert_eq!(segment("shop__a.b"), "shop__a.b");
    }
}
