//! What a sub-query asks of rows in memory, in the words of `docs/semantics.md`.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Contents, Row};
use crate::driver::{NearQuery, OrderKey, Position, SortKey, best_first};
use crate::error::{Error, Result};
use crate::filter::{Filter, Program};
use crate::schema::{ID_COLUMN, Part};
use crate::types::{Id, Value, sort_order};

/// A filter ready for rows: position 0 is the id, columns follow.
pub(crate) fn program(part: &Part, filter: &Filter) -> Result<Program> {
    Program::new(filter, &|name| if name == ID_COLUMN { Some(0) } else { part.column(name).map(|(at, _)| at + 1) })
}

/// Whether the filter holds on a row.
pub(crate) fn holds(program: &Program, row: &Row) -> bool {
    program.holds_on(row.values())
}

fn key_of(row: &Row, key: SortKey) -> &Value {
    match key {
        SortKey::Id => &row.values()[0],
        SortKey::Column(column) => row.column(column),
    }
}

/// How two rows order: by the keys, then by id.
pub(crate) fn order_rows(order: &[OrderKey], a: &Row, b: &Row) -> Ordering {
    order
        .iter()
        .map(|key| sort_order(key_of(a, key.key), key_of(b, key.key), key.descending))
        .find(|o| o.is_ne())
        .unwrap_or_else(|| a.id().cmp(b.id()))
}

/// Whether a row comes after a position in the order.
pub(crate) fn is_after(order: &[OrderKey], position: &Position, row: &Row) -> bool {
    let keys = order.iter().zip(&position.keys);
    keys.map(|(key, value)| sort_order(key_of(row, key.key), value, key.descending))
        .find(|o| o.is_ne())
        .unwrap_or_else(|| row.id().cmp(position.id.as_str()))
        .is_gt()
}

/// The first `keep` rows of an order, sorted.
pub(crate) fn sort_first<T>(rows: &mut Vec<T>, keep: usize, mut compare: impl FnMut(&T, &T) -> Ordering) {
    if keep == 0 {
        rows.clear();
    } else if keep < rows.len() {
        rows.select_nth_unstable_by(keep - 1, &mut compare);
        rows.truncate(keep);
    }
    rows.sort_unstable_by(compare);
}

/// The score of a row in a search; none without a vector.
pub(crate) fn score(near: &NearQuery, row: &Row) -> Option<f64> {
    row.column(near.column).as_vector().map(|vector| near.metric.score(&near.vector, vector))
}

/// Best score first, then id.
pub(crate) fn order_scores(a: &(Arc<Row>, f64), b: &(Arc<Row>, f64)) -> Ordering {
    best_first(a.1, b.1).then_with(|| a.0.id().cmp(b.0.id()))
}

/// The error of a damaged row that could belong to the answer, if there is one. Damaged rows that the ids or the tests
/// of the id exclude do not count.
pub(crate) fn damage_in_the_way(
    part: &Part,
    contents: &Contents,
    filter: &Filter,
    ids: Option<&[Id]>,
    after: Option<&Id>,
) -> Result<Option<Error>> {
    if contents.damaged.is_empty() && contents.nameless.is_empty() {
        return Ok(None);
    }
    if let Some(damage) = contents.nameless.first() {
        let may_be_asked = ids.is_none_or(|ids| ids.iter().any(|id| contents.rows.get(id).is_none()));
        if may_be_asked {
            return Ok(Some(damage.error(None)));
        }
    }
    let of_id: Vec<_> = filter.clone().into_conjuncts().into_iter().filter(|f| f.all_tests(|test| test.field == ID_COLUMN)).collect();
    let program = program(part, &Filter::And(of_id))?;
    for (id, damage) in contents.damaged.iter() {
        let asked = ids.is_none_or(|ids| ids.binary_search(id).is_ok()) && after.is_none_or(|after| id > after);
        let value = Value::Text(id.as_str().to_owned());
        if asked && program.holds(&|_| &value) {
            return Ok(Some(damage.error(Some(id))));
        }
    }
    Ok(None)
}
