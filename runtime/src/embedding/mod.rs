//! Embedders: what turns texts into vectors. A workspace is given one by name, fields say which one embeds them:
//! `docs/decisions/0024-embedders.md`.

mod ask;
#[cfg(feature = "embeddings_http")]
mod http;

pub(crate) use ask::{AnyEmbedder, ask};
#[cfg(feature = "embeddings_http")]
pub use http::{EmbeddingsClient, EmbeddingsHttp};

use std::future::Future;
use std::time::Duration;

use crate::error::Result;

/// What turns texts into vectors: a model in this process, or a service that has one.
///
/// The workspace does the rest: it asks for as many texts at once as the embedder takes, for each text once, again after a
/// failure that is [`Temporary`](crate::Status::Temporary), and it checks what comes back.
///
/// ```
/// use heavenbase::embedding::Embedder;
/// use heavenbase::prelude::*;
///
/// /// How often each letter occurs: no model, but deterministic.
/// struct Letters;
///
/// impl Embedder for Letters {
///     fn model(&self) -> &str {
///         "letters-1"
///     }
///
///     fn dimensions(&self) -> usize {
///         26
///     }
///
///     async fn embed(&self, texts: &[&str]) -> heavenbase::Result<Vec<Vec<f32>>> {
///         let count = |text: &&str| ('a'..='z').map(|letter| text.matches(letter).count() as f32).collect();
///         Ok(texts.iter().map(count).collect())
///     }
/// }
///
/// # #[derive(Layout)]
/// # struct Shop { main: InMem }
/// #[derive(Entity)]
/// #[entity(layout = Shop)]
/// struct Product {
///     object_id: Id,
///     title: String,
///     #[compute(embed, from(title))]
///     embedding: Option<Vector<26>>,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let ws = Workspace::open(Shop { main: InMem::new() }).await?.with_embedder("default", Letters);
/// ws.register::<Product>().await?;
/// let product = |id: &str, title: &str| Product { object_id: Id::from(id), title: title.into(), embedding: None };
/// ws.upsert_many(&[product("e1", "desk"), product("e2", "lamp")]).await?;
/// let best = ws.query::<Product>().near_text(Product::EMBEDDING, "desks", 1).select(Product::TITLE).all().await?;
/// assert_eq!(best, ["desk"]);
/// # Ok::<(), heavenbase::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Embedder: Send + Sync + 'static {
    /// The model, with its version. It is part of every vector's digest: under another name every vector that is stored is
    /// stale, and computed again when its row is written, repaired or rebuilt.
    fn model(&self) -> &str;

    /// How many numbers a vector has.
    fn dimensions(&self) -> usize;

    /// Most texts of one call of [`embed`](Embedder::embed).
    fn max_texts(&self) -> usize {
        128
    }

    /// How long and how often a call is tried.
    fn patience(&self) -> Patience {
        Patience::default()
    }

    /// One vector a text, in their order. No text is empty.
    ///
    /// # Errors
    /// With the status [`Temporary`](crate::Status::Temporary) where asking again may help.
    fn embed(&self, texts: &[&str]) -> impl Future<Output = Result<Vec<Vec<f32>>>> + Send;
}

/// How long and how often one call of an embedder is tried. An operation of the workspace is over at its caller's deadline
/// too: dropping its future ends the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often the call is made at most, the first time included.
    pub attempts: u32,
    /// The pause after the first failure; doubled after each further one, half of it left to chance.
    pub pause: Duration,
    /// How long all attempts and pauses take together at most.
    pub deadline: Duration,
}

impl Default for Patience {
    /// Four attempts, a first pause of 100 milliseconds, 60 seconds together.
    fn default() -> Self {
        Patience { attempts: 4, pause: Duration::from_millis(100), deadline: Duration::from_secs(60) }
    }
}
