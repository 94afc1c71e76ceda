//! Which indexes a part asks for, and how a search uses them.

use lance::index::vector::VectorIndexParams;
use lance_index::IndexType;
use lance_index::scalar::{BuiltinIndexType, ScalarIndexParams};
use lance_index::vector::hnsw::builder::HnswBuildParams;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_index::vector::sq::builder::SQBuildParams;
use lance_linalg::distance::DistanceType;

use super::{built, shape};
use crate::capability::Placement;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, Part};
use crate::types::{LogicalType, Metric};

/// How Lance measures.
pub(super) fn distance(metric: Metric) -> DistanceType {
    match metric {
        Metric::Cosine => DistanceType::Cosine,
        Metric::L2 => DistanceType::L2,
        Metric::Dot => DistanceType::Dot,
    }
}

/// What compresses the vectors of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    /// Nothing.
    Flat,
    /// Eight bits a number.
    Scalar,
    /// Product quantization.
    Product,
    /// Eight bits a number, and a graph to walk.
    Graph,
}

/// The index of a vector column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VectorMethod {
    lists: Lists,
    partitions: Option<usize>,
    sub_vectors: Option<usize>,
    bits: usize,
    m: usize,
    ef_construction: usize,
    probes: Option<usize>,
    refine: Option<usize>,
    ef: Option<usize>,
}

/// What a column's `index` means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// A vector index: the search is approximate.
    Vector(VectorMethod),
    /// Values in order.
    BTree,
    /// The rows of each value.
    Bitmap,
    /// The rows of each item of a list.
    LabelList,
}

const METHODS: &str = "ivf_pq, ivf_sq, ivf_flat or hnsw";

impl Method {
    /// What a column asks for; `None` for no index.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for a method or parameter that Lance does not have.
    pub(super) fn of(column: &Column) -> Result<Option<Method>> {
        let Some(index) = column.index else { return Ok(None) };
        let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why).at_field(column.name);
        if let (Placement::VectorIndex, LogicalType::Vector(length)) = (column.placement, column.logical) {
            return VectorMethod::of(index.method, index.parameters, length as usize).map(|m| Some(Method::Vector(m))).map_err(invalid);
        }
        let usual = match column.logical {
            LogicalType::Bool | LogicalType::Category(_) => Some(Method::Bitmap),
            LogicalType::List(item) => match item {
                LogicalType::Text { .. } | LogicalType::Int { .. } => Some(Method::LabelList),
                _ => None,
            },
            LogicalType::Bytes | LogicalType::Json | LogicalType::Vector(_) => None,
            _ => Some(Method::BTree),
        };
        let Some(usual) = usual else {
            return Err(invalid(format!("Lance has no index for a {}: leave `index` away", column.logical)));
        };
        if let Some((name, _)) = index.parameters.first() {
            return Err(invalid(format!("an index of values has no parameter `{name}` on Lance")));
        }
        let asked = match (index.method, usual) {
            ("", _) | ("btree", Method::BTree) | ("bitmap", Method::Bitmap) | ("label_list", Method::LabelList) => usual,
            ("bitmap", Method::BTree) => Method::Bitmap,
            ("btree", Method::Bitmap) => Method::BTree,
            (other, _) => {
                let have = if usual == Method::LabelList { "label_list" } else { "btree or bitmap" };
                return Err(invalid(format!("Lance has no index `{other}` for a {}: use {have}, or `index` alone", column.logical)));
            }
        };
        Ok(Some(asked))
    }
}

impl VectorMethod {
    fn of(method: &str, parameters: &[(&'static str, i64)], length: usize) -> Result<Self, String> {
        let (lists, takes): (_, &[&str]) = match method {
            "" | "ivf_pq" => (Lists::Product, &["partitions", "sub_vectors", "bits", "probes", "refine"]),
            "ivf_sq" => (Lists::Scalar, &["partitions", "probes", "refine"]),
            "ivf_flat" => (Lists::Flat, &["partitions", "probes"]),
            "hnsw" => (Lists::Graph, &["m", "ef_construction", "ef", "partitions", "probes", "refine"]),
            other => return Err(format!("Lance has no vector index `{other}`: use {METHODS}")),
        };
        let mut made = VectorMethod {
            lists,
            partitions: None,
            sub_vectors: None,
            bits: 8,
            m: 20,
            ef_construction: 150,
            probes: None,
            refine: None,
            ef: None,
        };
        for (name, value) in parameters {
            if !takes.contains(name) {
                let method = if method.is_empty() { "ivf_pq" } else { method };
                return Err(format!("{method} has no parameter `{name}`: it takes {}", takes.join(", ")));
            }
            let bounded = |least: i64, most: i64| match *value {
                n if n >= least && n <= most => Ok(n as usize),
                _ => Err(format!("the parameter `{name}` is {least} to {most}")),
            };
            match *name {
                "partitions" => made.partitions = Some(bounded(1, 65_536)?),
                "sub_vectors" => made.sub_vectors = Some(bounded(1, length as i64)?),
                "bits" => made.bits = bounded(4, 8)?,
                "m" => made.m = bounded(2, 128)?,
                "ef_construction" => made.ef_construction = bounded(4, 4_096)?,
                "ef" => made.ef = Some(bounded(1, 65_536)?),
                "probes" => made.probes = Some(bounded(1, 65_536)?),
                _ => made.refine = Some(bounded(1, 1_000)?),
            }
        }
        if !matches!(made.bits, 4 | 8) {
            return Err("the parameter `bits` is 4 or 8".to_owned());
        }
        if made.sub_vectors.is_some_and(|n| !length.is_multiple_of(n)) {
            return Err(format!("the parameter `sub_vectors` must divide the vector's length, {length}"));
        }
        Ok(made)
    }

    /// How many lists an index over so many rows has.
    pub(super) fn partitions(&self, rows: usize) -> usize {
        let usual = if self.lists == Lists::Graph { rows / 100_000 } else { rows.isqrt() };
        self.partitions.unwrap_or(usual).clamp(1, (rows / 32).max(1))
    }

    /// How many lists a search looks into: all of them under a filter, for what matches may lie far from where the nearest
    /// lists are. (Half of them found 0.945 where a filter kept the farther half of the rows.)
    pub(super) fn probes(&self, partitions: usize, filtered: bool) -> usize {
        let usual = if filtered { partitions } else { partitions / 4 };
        self.probes.unwrap_or(usual.max(24)).clamp(1, partitions)
    }

    /// Whether all rows but those of very large tables are in one graph.
    pub(super) fn is_one_graph(&self) -> bool {
        self.lists == Lists::Graph && self.partitions.is_none()
    }

    /// Whether it finds the nearest among few rows as well as comparing them does, and sooner.
    pub(super) fn finds_few(&self) -> bool {
        self.lists == Lists::Graph
    }

    /// Whether it finds the nearest under a filter too. A product quantizer ranks too coarsely: where a filter kept the
    /// farther half of the rows it found 0.91 of the ten nearest, although every list was searched.
    pub(super) fn serves_filters(&self) -> bool {
        self.lists != Lists::Product
    }

    /// How many times `k` candidates are compared again by their whole vectors.
    pub(super) fn refine(&self) -> Option<u32> {
        let usual = match self.lists {
            Lists::Flat => return None,
            Lists::Scalar | Lists::Graph => 4,
            Lists::Product => 20,
        };
        Some(self.refine.unwrap_or(usual) as u32)
    }

    /// How many candidates a walk of the graph keeps.
    pub(super) fn ef(&self, k: usize) -> Option<usize> {
        (self.lists == Lists::Graph).then(|| self.ef.unwrap_or((k * 8).max(200)))
    }

    /// The fewest rows that it can be trained on.
    pub(super) fn least_rows(&self) -> usize {
        match self.lists {
            Lists::Product => 1 << self.bits,
            _ => 64,
        }
    }

    /// The name, for `explain`.
    pub(super) fn name(&self) -> &'static str {
        match self.lists {
            Lists::Flat => "ivf_flat",
            Lists::Scalar => "ivf_sq",
            Lists::Product => "ivf_pq",
            Lists::Graph => "hnsw",
        }
    }

    /// All that an index is built by, in words: it is built anew when they change. What only searches read is not among them.
    fn words(&self, metric: Metric, length: usize) -> String {
        let partitions = self.partitions.map_or_else(|| "usual".to_owned(), |n| n.to_string());
        let more = match self.lists {
            Lists::Flat | Lists::Scalar => String::new(),
            Lists::Product => format!(" sub_vectors={} bits={}", self.sub_vectors(length), self.bits),
            Lists::Graph => format!(" m={} ef_construction={}", self.m, self.ef_construction),
        };
        format!("{} {metric} partitions={partitions}{more}", self.name())
    }

    /// How many pieces of a vector a product quantizer rounds each by itself.
    fn sub_vectors(&self, length: usize) -> usize {
        let usual = [8, 4, 2].into_iter().find(|n| length.is_multiple_of(*n)).map_or(length, |n| length / n);
        self.sub_vectors.unwrap_or(usual).max(1)
    }

    fn kind(&self) -> IndexType {
        match self.lists {
            Lists::Flat => IndexType::IvfFlat,
            Lists::Scalar => IndexType::IvfSq,
            Lists::Product => IndexType::IvfPq,
            Lists::Graph => IndexType::IvfHnswSq,
        }
    }

    fn parameters(&self, metric: Metric, length: usize, rows: usize) -> VectorIndexParams {
        let metric = distance(metric);
        let ivf = IvfBuildParams::new(self.partitions(rows));
        match self.lists {
            Lists::Flat => VectorIndexParams::with_ivf_flat_params(metric, ivf),
            Lists::Scalar => VectorIndexParams::with_ivf_sq_params(metric, ivf, SQBuildParams::default()),
            Lists::Product => {
                let pq = PQBuildParams { num_bits: self.bits, num_sub_vectors: self.sub_vectors(length), ..PQBuildParams::default() };
                VectorIndexParams::with_ivf_pq_params(metric, ivf, pq)
            }
            Lists::Graph => {
                let graph = HnswBuildParams::default().num_edges(self.m).ef_construction(self.ef_construction);
                VectorIndexParams::with_ivf_hnsw_sq_params(metric, ivf, graph, SQBuildParams::default())
            }
        }
    }
}

/// How an index is built.
pub(super) enum Parameters {
    Values(ScalarIndexParams),
    Vectors(VectorIndexParams),
}

/// An index that a part wants.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The index's name.
    pub name: String,
    /// The dataset's column.
    pub column: String,
    method: Method,
    metric: Metric,
    length: usize,
}

impl Wanted {
    fn new(column: String, method: Method, of: Option<&Column>) -> Self {
        let length = match of.map(|c| c.logical) {
            Some(LogicalType::Vector(length)) => length as usize,
            _ => 0,
        };
        Wanted { name: Wanted::name_of(&column), column, method, metric: of.and_then(|c| c.metric).unwrap_or_default(), length }
    }

    /// The index of a column of vectors.
    pub(super) fn of_vectors(column: &Column, method: VectorMethod) -> Self {
        Wanted::new(shape::column_name(column), Method::Vector(method), Some(column))
    }

    /// The name of the index of a column.
    pub(super) fn name_of(column: &str) -> String {
        format!("hb_{column}")
    }

    /// What it is built as: for vectors all that matters to it, otherwise Lance's name of the kind.
    pub(super) fn method(&self) -> String {
        match self.method {
            Method::BTree => "BTreeIndexDetails".to_owned(),
            Method::Bitmap => "BitmapIndexDetails".to_owned(),
            Method::LabelList => "LabelListIndexDetails".to_owned(),
            Method::Vector(method) => method.words(self.metric, self.length),
        }
    }

    /// Whether it is worth building over so many rows.
    pub(super) fn pays(&self, rows: usize, least: usize) -> bool {
        match self.method {
            Method::Vector(method) => rows >= least.max(method.least_rows()),
            _ => rows >= least,
        }
    }

    /// How to build it over so many rows.
    pub(super) fn build(&self, rows: usize) -> (IndexType, Parameters) {
        let values = |kind, built| (kind, Parameters::Values(ScalarIndexParams::for_builtin(built)));
        match self.method {
            Method::BTree => values(IndexType::BTree, BuiltinIndexType::BTree),
            Method::Bitmap => values(IndexType::Bitmap, BuiltinIndexType::Bitmap),
            Method::LabelList => values(IndexType::LabelList, BuiltinIndexType::LabelList),
            Method::Vector(method) => {
                let mut parameters = method.parameters(self.metric, self.length, rows);
                parameters.runtime_hints.extend([built::note(method.partitions(rows), &self.method())]);
                (method.kind(), Parameters::Vectors(parameters))
            }
        }
    }
}

/// The indexes that a part wants: of ids, of what says `index`, of words.
pub(super) fn wanted(part: &Part) -> Vec<Wanted> {
    let mut wanted = vec![Wanted::new(ID_COLUMN.to_owned(), Method::BTree, None)];
    for column in &part.columns {
        if let Ok(Some(method)) = Method::of(column) {
            wanted.push(Wanted::new(shape::column_name(column), method, Some(column)));
        }
        if let Some(words) = shape::words_name(column) {
            wanted.push(Wanted::new(words, Method::LabelList, None));
        }
    }
    for group in part.index_groups() {
        // Lance's indexes are of one column: the first of the group is what narrows most.
        let Some(column) = group.first().and_then(|i| part.columns.get(*i)) else { continue };
        let method = match column.logical {
            LogicalType::Bool | LogicalType::Category(_) => Method::Bitmap,
            LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => continue,
            _ => Method::BTree,
        };
        let next = Wanted::new(shape::column_name(column), method, Some(column));
        if wanted.iter().all(|other| other.name != next.name) {
            wanted.push(next);
        }
    }
    wanted
}

/// The vector index of a column, if it asks for one.
pub(super) fn vector_method(column: &Column) -> Option<VectorMethod> {
    match Method::of(column) {
        Ok(Some(Method::Vector(method))) => Some(method),
        _ => None,
    }
}
