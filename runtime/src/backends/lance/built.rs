//! What the indexes of a dataset were built as, beside what the part asks for now: an attribute may have changed since.
//!
//! Lance keeps the quantizer and the graph of a vector index, but not how many lists were asked for. So what was asked for
//! is noted beside the index, among hints that Lance hands on to whatever it adds to the index later.

use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance_index::pb::VectorIndexDetails;

use super::index::Wanted;
use super::shape;
use crate::schema::Part;

/// The hint that is ours.
const NOTE: &str = "heavenbase.index";

/// A hint for Lance to keep: how many lists the index has, and what it was asked to be.
pub(super) fn note(lists: usize, method: &str) -> (String, String) {
    (NOTE.to_owned(), format!("{lists} {method}"))
}

/// An index that is there, or a part of one that was added to.
pub(super) struct Built {
    pub name: String,
    /// The dataset's column.
    column: String,
    /// What it was built as, in the words of [`Wanted::method`]; other words where it has no note of ours.
    method: String,
    /// How many lists of vectors it was built with.
    lists: usize,
}

/// The indexes of one version.
pub(super) async fn of(dataset: &Dataset) -> lance::Result<Vec<Built>> {
    let indices = dataset.load_indices().await?;
    let built = indices.iter().filter_map(|index| {
        let field = index.fields.first().and_then(|id| dataset.schema().field_by_id(*id))?;
        let details = index.index_details.as_deref();
        let vectors = details.and_then(|details| details.to_msg::<VectorIndexDetails>().ok());
        let noted = vectors.as_ref().and_then(|vectors| vectors.runtime_hints.get(NOTE)?.split_once(' '));
        let kind = details.and_then(|details| details.type_url.rsplit('.').next()).unwrap_or_default();
        let (lists, method) = noted.and_then(|(lists, method)| Some((lists.parse().ok()?, method))).unwrap_or((0, kind));
        Some(Built { name: index.name.clone(), column: field.name.clone(), method: method.to_owned(), lists })
    });
    Ok(built.collect())
}

impl Built {
    /// Whether it is an index as we make them, of a column that the part knows: an older program does not take away what a
    /// newer one added.
    fn is_ours(&self, part: &Part) -> bool {
        self.name == Wanted::name_of(&self.column) && shape::schema(part).field_with_name(&self.column).is_ok()
    }
}

/// Whether an index is there, and all of it is what is asked for.
pub(super) fn has(built: &[Built], wanted: &Wanted) -> bool {
    let mut parts = built.iter().filter(|part| part.name == wanted.name).peekable();
    parts.peek().is_some() && parts.all(|part| part.method == wanted.method())
}

/// The names of our indexes that none of these is.
pub(super) fn others(built: &[Built], part: &Part, wanted: &[&Wanted]) -> Vec<String> {
    let others = built.iter().filter(|index| index.is_ours(part) && wanted.iter().all(|wanted| wanted.name != index.name));
    let mut names: Vec<String> = others.map(|index| index.name.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// How many lists the index of a column has, if a search would meet what is asked for. Lance chooses among all indexes of
/// the column, so none of them may be another one.
pub(super) async fn lists(dataset: &Dataset, wanted: &Wanted) -> lance::Result<Option<usize>> {
    let mut built = of(dataset).await?;
    built.retain(|index| index.column == wanted.column);
    let all_ours = built.iter().all(|index| index.name == wanted.name) && has(&built, wanted);
    Ok(built.first().filter(|_| all_ours).map(|index| index.lists.max(1)))
}
