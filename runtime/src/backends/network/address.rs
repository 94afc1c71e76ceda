//! Addresses of the form `scheme://user:password@host:port/name`. No message repeats a piece of one.

use crate::error::{Error, ErrorKind, Result};

/// What an address says.
pub(crate) struct Address {
    pub(crate) user: String,
    pub(crate) password: String,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What is behind the last slash.
    pub(crate) name: String,
}

/// The error of an address.
pub(crate) fn wrong(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidSchema, why)
}

/// `%40` as what it stands for.
fn plain(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digit = |at: usize| others.get(at).and_then(|c| char::from(*c).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &others[2..];
            }
            (b'%', ..) => return Err(wrong("the address has a `%` without two hexadecimal digits: write it %25")),
            (other, ..) => {
                bytes.push(*other);
                rest = others;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong("the address holds bytes that are no UTF-8"))
}

impl Address {
    /// Reads an address that begins with one of `schemes`; `form` says how one looks, `nameless` what is missing without a name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for any other.
    pub(crate) fn parse(url: &str, schemes: &[&str], port: u16, form: &'static str, nameless: &'static str) -> Result<Self> {
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme)).ok_or_else(|| wrong(form))?;
        let (place, name) = rest.rsplit_once('/').ok_or_else(|| wrong(nameless))?;
        let (user, server) = place.rsplit_once('@').ok_or_else(|| wrong(form))?;
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match server.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong(form))?),
            None => (server, port),
        };
        if host.is_empty() || user.is_empty() || name.is_empty() || name.contains('?') {
            return Err(wrong(form));
        }
        let host = plain(host)?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Address { user: plain(user)?, password: plain(password)?, host, port, name: plain(name)? })
    }
}
