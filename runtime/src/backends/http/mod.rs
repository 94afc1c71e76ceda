//! What the drivers over HTTP share: a client with credentials, a deadline and retries, and one mapping from what can
//! go wrong on the way to this crate's errors.
//!
//! Nothing of a request or of an answer's free text goes into an error: engines repeat bound values in their messages.

// Each driver uses a part of the room: without the others some of it has no caller.
#![cfg_attr(not(feature = "elasticsearch"), allow(dead_code, unused_imports))]

mod answer;
mod client;
mod endpoint;
mod tls;

pub(crate) use answer::Answer;
pub(crate) use client::{HttpClient, Method, Request, Safety};
#[cfg(any(feature = "elasticsearch", feature = "chroma", feature = "embeddings_http"))]
pub(crate) use endpoint::patience_options;
#[cfg(feature = "starrocks")]
pub(crate) use endpoint::percent_decoded;
pub(crate) use endpoint::{Endpoint, Secret, segment};
