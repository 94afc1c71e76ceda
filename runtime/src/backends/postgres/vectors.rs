//! pgvector in SQL: scores, the order that an index serves, and the indexes themselves.

use crate::backends::sql::{Dialect, Sql, Statement, Term, ddl};
use crate::capability::Placement;
use crate::driver::{NearQuery, SearchCosts, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Index, Part};
use crate::types::{LogicalType, Metric, Value};

/// Most dimensions that an index takes of `vector`, and of `halfvec`.
const INDEXED: u32 = 2_000;
const INDEXED_HALF: u32 = 4_000;

/// How a column is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Method {
    name: &'static str,
    half: bool,
}

/// The index of a column, if it asks for one and one is possible.
pub(super) fn method(column: &Column) -> Option<Method> {
    let (Some(index), LogicalType::Vector(length), Placement::VectorIndex) = (column.index, column.logical, column.placement) else {
        return None;
    };
    let half = length > INDEXED || index.parameters.iter().any(|(name, value)| *name == "half" && *value != 0);
    let name = if index.method.is_empty() { "hnsw" } else { index.method };
    (length <= INDEXED_HALF).then_some(Method { name, half })
}

/// Whether a search goes by the index of its column. Few candidates are ranked sooner than an index is walked until enough of
/// them are met; and `ivfflat` serves those without a filter alone: it looks into the lists whose
/// centres are nearest and ends with the first `k` rows that match, which are not the nearest where a filter keeps what is far
/// (recall@10 of 0.05 was measured).
pub(super) fn serves(part: &Part, query: &SubQuery) -> bool {
    let Some(near) = query.near.as_ref().filter(|near| !near.exact && query.ids.is_none()) else { return false };
    part.columns.get(near.column).and_then(method).is_some_and(|method| method.name != "ivfflat" || query.filter.is_all())
}

/// How many hits an index is asked for, of which the first `k` are wanted: one of halves does not tell rows apart that are close,
/// and their order comes from the whole vectors.
pub(super) fn asked(part: &Part, near: &NearQuery, k: usize) -> usize {
    let half = part.columns.get(near.column).and_then(method).is_some_and(|method| method.half);
    if half { k + (k / 2).max(16) } else { k }
}

/// What a search costs: measured over 20,000 vectors of 384 numbers.
pub(super) fn costs(part: &Part, near: &NearQuery) -> SearchCosts {
    let costs = SearchCosts::of_server(near.vector.len());
    match part.columns.get(near.column).and_then(method).filter(|_| !near.exact) {
        // Of rows far down it looks into too few lists.
        Some(method) if method.name == "ivfflat" => SearchCosts { finds_far: false, ..costs },
        Some(_) => costs.indexed(12_000),
        None => costs,
    }
}

fn vector(sql: &mut Sql<'_>, near: &NearQuery, half: bool) {
    sql.bind(Value::Vector(near.vector.clone())).push(if half { "::halfvec" } else { "::vector" });
}

fn operator(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => " <=> ",
        Metric::L2 => " <-> ",
        Metric::Dot => " <#> ",
    }
}

/// Writes the score: of the whole vector, also where the index keeps halves.
pub(super) fn score(sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
    sql.push(if near.metric == Metric::Cosine { "1 - (" } else { "-(" });
    term.write_column(sql);
    sql.push(operator(near.metric));
    vector(sql, near, false);
    sql.push(")");
    Ok(())
}

/// The index that a search is ordered by.
pub(super) fn serving(term: &Term<'_>, near: &NearQuery) -> Option<Method> {
    term.column.and_then(method).filter(|_| !near.exact)
}

/// Writes what a search is ordered by: the distance as the index knows it, or (exact, or without an index) the score,
/// which no index serves.
pub(super) fn order(sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
    let Some(method) = serving(term, near) else {
        sql.push("\"_hb_score\" DESC");
        return Ok(());
    };
    if method.half {
        sql.push("(");
        term.write_column(sql);
        sql.push("::halfvec(").number(near.vector.len()).push("))");
    } else {
        term.write_column(sql);
    }
    sql.push(operator(near.metric));
    vector(sql, near, method.half);
    Ok(())
}

/// Compares the index that is there with the one that the entity asks for.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] when it is of another method or with other parameters: it would be used as if it were the
/// one asked for.
pub(super) fn check_index(part: &Part, column: &Column, name: &str, there: (&str, &str, &str)) -> Result<()> {
    let (Some(Index { parameters, .. }), Some(method)) = (column.index, method(column)) else { return Ok(()) };
    let (found, class, options) = there;
    let mut asked: Vec<String> =
        parameters.iter().filter(|(name, _)| *name != "half").map(|(name, value)| format!("{name}={value}")).collect();
    let mut stored: Vec<&str> = options.split(' ').filter(|option| !option.is_empty()).collect();
    asked.sort_unstable();
    stored.sort_unstable();
    if found == method.name && class.starts_with("halfvec") == method.half && asked == stored {
        return Ok(());
    }
    let said = |name: &str, half: bool, options: &str| format!("{name}({}{options})", if half { "half " } else { "" });
    let why = format!(
        "the index `{name}` is {}, the entity says {}: change the field back, or drop the index, and register makes it anew",
        said(found, class.starts_with("halfvec"), &stored.join(" ")),
        said(method.name, method.half, &asked.join(" "))
    );
    Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(column.name))
}

/// The parameters that a method takes, besides `half`.
fn known(method: &str) -> Option<&'static [&'static str]> {
    match method {
        "hnsw" => Some(&["m", "ef_construction"]),
        "ivfflat" => Some(&["lists"]),
        _ => None,
    }
}

/// The statement that creates a column's index.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] for a method or parameter that pgvector does not have.
pub(super) fn create_index(dialect: &dyn Dialect, part: &Part, column: &Column) -> Result<Option<Statement>> {
    let (Some(Index { parameters, .. }), Placement::VectorIndex) = (column.index, column.placement) else { return Ok(None) };
    let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name);
    let LogicalType::Vector(length) = column.logical else { return Ok(None) };
    let Some(method) = method(column) else {
        return Err(invalid(format!("pgvector indexes at most {INDEXED_HALF} dimensions, the field has {length}: leave the index out")));
    };
    let Some(takes) = known(method.name) else {
        return Err(invalid(format!("pgvector has no index method `{}`: use hnsw or ivfflat", method.name)));
    };
    let mut sql = Sql::new(dialect);
    sql.push("CREATE INDEX IF NOT EXISTS ").name(&ddl::index_name(dialect, part, &[column], false)).push(" ON ").table(part);
    sql.push(if method.name == "hnsw" { " USING hnsw (" } else { " USING ivfflat (" });
    if method.half {
        sql.push("(").name(&column.physical).push("::halfvec(").number(length as usize).push("))");
    } else {
        sql.name(&column.physical);
    }
    sql.push(match (column.metric.unwrap_or_default(), method.half) {
        (Metric::Cosine, false) => " vector_cosine_ops)",
        (Metric::L2, false) => " vector_l2_ops)",
        (Metric::Dot, false) => " vector_ip_ops)",
        (Metric::Cosine, true) => " halfvec_cosine_ops)",
        (Metric::L2, true) => " halfvec_l2_ops)",
        (Metric::Dot, true) => " halfvec_ip_ops)",
    });
    let mut opened = false;
    for (name, value) in parameters.iter().filter(|(name, _)| *name != "half") {
        let Some(name) = takes.iter().find(|known| *known == name) else {
            return Err(invalid(format!("{} has no parameter `{name}`: it takes half, {}", method.name, takes.join(", "))));
        };
        let value = usize::try_from(*value).map_err(|_| invalid(format!("the parameter `{name}` is a number from 1")))?;
        sql.push(if std::mem::replace(&mut opened, true) { ", " } else { " WITH (" });
        sql.push(name).push(" = ").number(value);
    }
    if opened {
        sql.push(")");
    }
    Ok(Some(sql.finish()))
}
