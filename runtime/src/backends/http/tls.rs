use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// TLS by rustls with ring, chosen here and not by the process default: another library in the same program may bring
/// another provider, and rustls refuses to choose between two. The system's certificates decide whom to trust.
pub(super) fn config(encrypted: bool) -> Result<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed = |cause: rustls::Error| Error::new(ErrorKind::Unavailable, "TLS cannot be set up on this system").caused_by(cause);
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().map_err(failed)?;
    if !encrypted {
        // A plain connection never uses this, and a system without certificates must not fail it.
        return Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth());
    }
    let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(failed)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}
