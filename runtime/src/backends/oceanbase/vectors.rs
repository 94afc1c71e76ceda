//! OceanBase's vectors in SQL: the column that is searched, its index, scores.

use crate::backends::mysql::Vectors;
use crate::backends::sql::{Dialect, Sql, Statement, Term, ddl, unsupported};
use crate::capability::Placement;
use crate::driver::NearQuery;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{LogicalType, Metric, Value};

/// Most dimensions of a column.
const DIMENSIONS: u32 = 16_000;

/// What OceanBase says of vectors.
pub(super) struct HnswVectors;

/// The name of the column that is searched. No field's column has such a name.
fn name(column: &Column) -> String {
    ddl::beside_name(column, "vector")
}

/// The vector as the server reads it.
fn text(numbers: &[f32]) -> Value {
    let mut text = String::with_capacity(numbers.len() * 12 + 2);
    text.push('[');
    for (i, number) in numbers.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&format!("{number:e}"));
    }
    text.push(']');
    Value::Text(text)
}

fn call(sql: &mut Sql<'_>, function: &'static str, term: &Term<'_>, near: &NearQuery) -> Result<()> {
    let Some(column) = term.column.filter(|column| column.placement == Placement::VectorIndex) else {
        return Err(unsupported(sql.dialect().kind(), "vector search without the placement VectorIndex", term));
    };
    sql.push(function).push("(t.").name(&name(column)).push(", ").bind(text(&near.vector)).push(")");
    Ok(())
}

impl Vectors for HnswVectors {
    fn beside(&self, column: &Column) -> Option<(String, String)> {
        match (column.placement, column.logical) {
            (Placement::VectorIndex, LogicalType::Vector(length)) => Some((name(column), format!("VECTOR({length})"))),
            _ => None,
        }
    }

    fn bound(&self, numbers: &[f32]) -> Value {
        text(numbers)
    }

    fn is_indexed(&self, column: &Column) -> bool {
        column.placement == Placement::VectorIndex && column.index.is_some()
    }

    fn create_index(&self, dialect: &dyn Dialect, part: &Part, column: &Column) -> Result<Option<Statement>> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name);
        if let LogicalType::Vector(length) = column.logical
            && length > DIMENSIONS
        {
            return Err(invalid(format!("a vector of {length} numbers, OceanBase takes {DIMENSIONS}: store it as InlineColumn")));
        }
        let Some(index) = column.index.filter(|_| column.placement == Placement::VectorIndex) else { return Ok(None) };
        if !matches!(index.method, "" | "hnsw") {
            return Err(invalid(format!("no index method `{}` here: use hnsw", index.method)));
        }
        let mut sql = Sql::new(dialect);
        sql.push("CREATE VECTOR INDEX ").name(&ddl::index_name(dialect, part, &[column], false)).push(" ON ").table(part);
        sql.push(" (").name(&name(column)).push(") WITH (distance=");
        sql.push(match column.metric.unwrap_or_default() {
            Metric::Cosine => "cosine",
            Metric::L2 => "l2",
            Metric::Dot => "inner_product",
        });
        sql.push(", type=hnsw, lib=vsag");
        const KNOWN: [&str; 3] = ["m", "ef_construction", "ef_search"];
        for (parameter, value) in index.parameters {
            let Some(known) = KNOWN.iter().find(|known| *known == parameter) else {
                return Err(invalid(format!("hnsw has no parameter `{parameter}`: it takes {}", KNOWN.join(", "))));
            };
            let value = usize::try_from(*value).map_err(|_| invalid(format!("the parameter `{parameter}` is a number from 1")))?;
            sql.push(", ").push(known).push("=").number(value);
        }
        sql.push(")");
        Ok(Some(sql.finish()))
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        match near.metric {
            Metric::Cosine => {
                sql.push("1 - ");
                call(sql, "cosine_distance", term, near)
            }
            Metric::L2 => {
                sql.push("-");
                call(sql, "l2_distance", term, near)
            }
            Metric::Dot => call(sql, "inner_product", term, near),
        }
    }

    fn order(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        if near.exact || !term.column.is_some_and(|column| self.is_indexed(column)) {
            sql.push("`_hb_score` DESC");
            return Ok(());
        }
        // Only these very functions are answered by an index.
        let distance = match near.metric {
            Metric::Cosine => "cosine_distance",
            Metric::L2 => "l2_distance",
            Metric::Dot => "negative_inner_product",
        };
        call(sql, distance, term, near)
    }
}
