//! Vectors that follow from the text of other fields: which embedder, which text, which of them are known already.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::chunks::readable;
use super::refill::Follows;
use super::write::check_value;
use super::{Registered, Workspace};
use crate::driver::Page;
use crate::embedding::{AnyEmbedder, Embedder, ask};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Layout, SearchSpec};
use crate::schema::EntitySchema;
use crate::types::{Id, LogicalType, Value};

/// The embedders of a workspace, by name.
pub(super) type Embedders = HashMap<Arc<str>, Arc<dyn AnyEmbedder>>;

/// Vectors by the digest of what they were embedded from. A digest stands for its text and its model, so a vector is right
/// wherever its digest is.
pub(super) type Known = HashMap<String, Arc<[f32]>>;

/// A field that is embedded: positions in [`EntitySchema::fields`], and by whom.
pub(crate) struct Embedding {
    pub(super) field: usize,
    pub(super) digest: usize,
    pub(super) sources: Vec<usize>,
    /// The field's name.
    pub(super) name: &'static str,
    /// The embedder's name in the workspace.
    by: &'static str,
    embedder: Arc<dyn AnyEmbedder>,
}

impl<L: Layout> Workspace<L> {
    /// The same workspace with an embedder under a name: that of `#[compute(embed = "name", from(…))]`, which is `default`
    /// in an attribute that says `embed` alone. An entity keeps the embedders that it was registered with.
    ///
    /// See [`Embedder`] for an example.
    #[must_use]
    pub fn with_embedder(self, name: &str, embedder: impl Embedder) -> Self {
        let embedder: Arc<dyn AnyEmbedder> = Arc::new(embedder);
        self.inner.embedders.rcu(|known| {
            let mut all = (**known).clone();
            all.insert(Arc::from(name), embedder.clone());
            all
        });
        self
    }
}

/// The embedded fields of an entity, each with its embedder.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] naming the field whose embedder is missing or gives other vectors.
pub(super) fn embeddings(entity: &'static EntitySchema, embedders: &Embedders) -> Result<Vec<Embedding>> {
    let embedded = entity.fields.iter().enumerate().filter_map(|(position, field)| field.embedding.map(|e| (position, field, e)));
    let one = |(field, schema, embedding): (usize, &crate::schema::FieldSchema, crate::schema::EmbeddingSchema)| {
        let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why).at_field(schema.name);
        let name = embedding.embedder;
        let embedder = embedders.get(name).cloned().ok_or_else(|| {
            invalid(format!("the workspace has no embedder `{name}`: give it one before, `workspace.with_embedder(\"{name}\", …)`"))
        })?;
        if let LogicalType::Vector(n) = schema.logical
            && n as usize != embedder.dimensions()
        {
            let found = embedder.dimensions();
            return Err(invalid(format!("the field has {n} numbers, the embedder `{name}` gives {found}: make it `Vector<{found}>`")));
        }
        let position = |name: &str| {
            entity
                .field(name)
                .map(|(position, _)| position)
                .ok_or_else(|| invalid(format!("it is embedded with a field `{name}`, which is none")))
        };
        let sources = embedding.sources.iter().map(|name| position(name)).collect::<Result<_>>()?;
        Ok(Embedding { field, digest: position(embedding.digest)?, sources, name: schema.name, by: name, embedder })
    };
    embedded.map(one).collect()
}

impl Embedding {
    /// The text of a row: the lines of its sources; `None` where there is nothing to embed.
    pub(super) fn text<'v>(&self, source: impl Fn(usize) -> &'v Value) -> Option<String> {
        let texts = self.sources.iter().filter_map(|field| source(*field).as_text()).filter(|text| !text.trim().is_empty());
        let mut joined: Option<String> = None;
        for text in texts {
            match &mut joined {
                None => joined = Some(text.to_owned()),
                Some(before) => {
                    before.push('\n');
                    before.push_str(text);
                }
            }
        }
        joined
    }

    /// What stands for a text and the model that embeds it.
    pub(super) fn digest(&self, text: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let model = self.embedder.model();
        hasher.update(&(model.len() as u64).to_le_bytes()).update(model.as_bytes());
        hasher.update(&(self.embedder.dimensions() as u64).to_le_bytes()).update(text.as_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

/// Texts whose vectors are wanted, each once.
#[derive(Default)]
pub(super) struct Wanted {
    texts: Vec<WantedText>,
    digests: HashSet<String>,
}

struct WantedText {
    /// Position in [`Registered::embeddings`].
    embedding: usize,
    digest: String,
    text: String,
}

impl Wanted {
    /// Wants a text's vector, unless it is known.
    pub(super) fn add(&mut self, embedding: usize, digest: &str, text: String, known: &Known) {
        if !known.contains_key(digest) && self.digests.insert(digest.to_owned()) {
            self.texts.push(WantedText { embedding, digest: digest.to_owned(), text });
        }
    }

    /// Asks the embedders, each in as few calls as it allows.
    pub(super) async fn ask(self, embeddings: &[Embedding], known: &mut Known) -> Result<()> {
        let mut left = self.texts;
        while let Some(first) = left.first() {
            let Embedding { embedder, by, name, .. } = &embeddings[first.embedding];
            let (now, later): (Vec<_>, Vec<_>) = left.into_iter().partition(|wanted| embeddings[wanted.embedding].by == *by);
            left = later;
            let texts: Vec<&str> = now.iter().map(|wanted| wanted.text.as_str()).collect();
            let vectors = ask(&**embedder, &texts).await.map_err(|e| e.at_field(*name))?;
            known.extend(now.into_iter().map(|wanted| wanted.digest).zip(vectors));
        }
        Ok(())
    }
}

impl Registered {
    /// Fills in the embedded fields of whole rows, and the digests beside them. Whatever is known is not asked for again.
    ///
    /// # Errors
    /// What the embedders say; [`ErrorKind::InvalidValue`] for a row whose vector must not be null and has no text.
    pub(super) async fn embed(&self, values: &mut [Value], known: &mut Known) -> Result<()> {
        let entity = self.target.routing.entity;
        let width = entity.fields.len();
        if self.embeddings.is_empty() || values.is_empty() {
            return Ok(());
        }
        let mut wanted = Wanted::default();
        for row in values.chunks_mut(width) {
            for (position, embedding) in self.embeddings.iter().enumerate() {
                row[embedding.digest] = match embedding.text(|field| &row[field]) {
                    None => Value::Null,
                    Some(text) => {
                        let digest = embedding.digest(&text);
                        wanted.add(position, &digest, text, known);
                        Value::Text(digest)
                    }
                };
            }
        }
        wanted.ask(&self.embeddings, known).await?;
        let rows = values.len() / width;
        for (number, row) in values.chunks_mut(width).enumerate() {
            for embedding in &self.embeddings {
                let vector = row[embedding.digest].as_text().and_then(|digest| known.get(digest));
                row[embedding.field] = vector.map_or(Value::Null, |vector| Value::Vector(vector.clone()));
                let at_row = |e: Error| if rows > 1 { e.with("row", number) } else { e };
                check(entity, embedding.field, &row[embedding.field]).map_err(at_row)?;
            }
        }
        Ok(())
    }

    /// The vectors that are stored for some rows: one fetch a batch and a backend that holds embeddings.
    pub(super) async fn stored_vectors(&self, ids: &[Id]) -> Result<Known> {
        let mut known = Known::new();
        for part in 0..self.target.len() {
            let columns: Vec<usize> = self
                .embeddings
                .iter()
                .filter_map(|e| Some((self.target.locate(e.digest, None)?, self.target.locate(e.field, None)?)))
                .filter(|((there, _), _)| *there == part)
                .flat_map(|((_, digest), (_, vector))| [digest, vector])
                .collect();
            if columns.is_empty() {
                continue;
            }
            // What is damaged is embedded anew: writing it again heals it.
            let (mut page, _) = readable(&self.target, part, ids, &columns).await?;
            for row in 0..page.len() {
                note(page.row_mut(row), &mut known);
            }
        }
        Ok(known)
    }

    /// The same search with vectors in the place of texts.
    pub(super) async fn embed_search(&self, search: &SearchSpec) -> Result<Option<SearchSpec>> {
        let mut search = search.clone();
        let (mut wanted, mut known) = (Wanted::default(), Known::new());
        let embedding_of = |name: &str| {
            let position = self.embeddings.iter().position(|e| e.name == name);
            position.ok_or_else(|| Error::new(ErrorKind::InvalidQuery, "the field has no embedder").at_field(name.to_owned()))
        };
        let mut digests = Vec::new();
        for single in search.singles_mut() {
            let SearchSpec::NearText { field, text, .. } = single else { continue };
            if text.trim().is_empty() {
                return Err(Error::new(ErrorKind::InvalidQuery, "near_text with an empty text").at_field(field.name.to_string()));
            }
            let position = embedding_of(&field.name)?;
            let digest = self.embeddings[position].digest(text);
            wanted.add(position, &digest, text.clone(), &known);
            digests.push(digest);
        }
        if digests.is_empty() {
            return Ok(None);
        }
        wanted.ask(&self.embeddings, &mut known).await?;
        let mut digests = digests.iter();
        for single in search.singles_mut() {
            let SearchSpec::NearText { field, k, .. } = single else { continue };
            let vector = digests.next().and_then(|digest| known.get(digest)).map(|v| v.to_vec()).unwrap_or_default();
            *single = SearchSpec::Near { field: field.clone(), vector, k: *k };
        }
        Ok(Some(search))
    }

    /// What is said of a search before its texts are embedded.
    pub(super) fn explain_search(&self, search: &SearchSpec) -> Option<String> {
        let mut search = search.clone();
        let mut said: Vec<String> = Vec::new();
        for single in search.singles_mut() {
            let SearchSpec::NearText { field, .. } = single else { continue };
            let by = self.embeddings.iter().find(|e| e.name == field.name)?;
            let sentence = format!("the text is embedded by `{}` ({}) for {}", by.by, by.embedder.model(), field.name);
            if !said.contains(&sentence) {
                said.push(sentence);
            }
        }
        (!said.is_empty()).then(|| said.join("; "))
    }

    /// The vectors in a page of a part's derived columns.
    pub(super) fn vectors_in(&self, page: &Page, columns: &[(usize, Follows)]) -> Known {
        let mut known = Known::new();
        for position in 0..self.embeddings.len() {
            let at = |wanted: Follows| columns.iter().position(|(_, follows)| *follows == wanted);
            let (Some(digest), Some(vector)) = (at(Follows::Digest(position)), at(Follows::Vector(position))) else { continue };
            (0..page.len()).map(|row| page.row(row)).for_each(|row| note(&mut [row[digest].clone(), row[vector].clone()], &mut known));
        }
        known
    }

    /// Takes note of the vectors of a whole row.
    pub(super) fn note_row(&self, row: &[Value], known: &mut Known) {
        for embedding in &self.embeddings {
            note(&mut [row[embedding.digest].clone(), row[embedding.field].clone()], known);
        }
    }
}

/// Checks a vector, and says what it comes from where it cannot be stored.
pub(super) fn check(entity: &EntitySchema, field: usize, vector: &Value) -> Result<()> {
    let schema = &entity.fields[field];
    if vector.is_null() && !schema.nullable {
        let why = "there is no text to embed in the row, and the field is not optional: make it an `Option`";
        return Err(Error::new(ErrorKind::InvalidValue, why).at_field(schema.name));
    }
    check_value(entity, field, vector)
}

/// Takes note of pairs of a digest and its vector.
fn note(pairs: &mut [Value], known: &mut Known) {
    for pair in pairs.chunks_mut(2) {
        if let [Value::Text(digest), Value::Vector(vector)] = pair {
            known.insert(std::mem::take(digest), vector.clone());
        }
    }
}
