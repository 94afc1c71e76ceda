//! What must hold between a driver's own answers, whatever the reference says.

use std::collections::BTreeSet;
use std::sync::Arc;

use heavenbase::driver::{Aggregate, AggregateFunction, Measure, SubQuery};
use heavenbase::filter::Filter;
use heavenbase::schema::Part;
use heavenbase::types::Value;

use super::context::{Context, Outcome};
use super::select::select;
use crate::check;
use crate::data::{self, specs_of};
use crate::random::Random;

async fn ids(context: &Context, part: &Arc<Part>, query: &SubQuery) -> Outcome<Vec<String>> {
    Ok(select(context, part, query).await?.into_iter().map(|found| found.row.id).collect())
}

/// `p` and `!p` part the rows; `&` shrinks and `|` grows as sets do; `p` over all rows one by one is `p` at once (NoREC);
/// a limit is a prefix of a greater one; the count is the number of rows.
pub async fn relations(context: &Context) -> Outcome {
    for round in 0..3 {
        let mut random = context.random();
        let mut specs = specs_of(context.setup.kind, None);
        random.shuffle(&mut specs);
        specs.truncate(9);
        let (part, table) = context.filled(&format!("relations{round}"), &specs, 120).await?;
        for _ in 0..context.rounds(25) {
            let p = data::filter(&mut random, &part, &table, 3, context.setup.manners);
            let q = data::filter(&mut random, &part, &table, 2, context.setup.manners);
            sets(context, &part, &p, &q).await?;
            prefixes(context, &part, &mut random, &p).await?;
        }
    }
    Ok(())
}

async fn sets(context: &Context, part: &Arc<Part>, p: &Filter, q: &Filter) -> Outcome {
    let matching = async |filter: Filter| -> Outcome<BTreeSet<String>> {
        let found = ids(context, part, &SubQuery { filter, ..SubQuery::default() }).await?;
        let set: BTreeSet<String> = found.iter().cloned().collect();
        check!(set.len() == found.len(), "a row comes twice");
        Ok(set)
    };
    let not = |filter: &Filter| Filter::Not(Box::new(filter.clone()));
    let all = matching(Filter::all()).await?;
    let (with_p, with_q) = (matching(p.clone()).await?, matching(q.clone()).await?);
    let without_p = matching(not(p)).await?;
    check!(
        with_p.is_disjoint(&without_p),
        "rows match p and !p at once: {:?}\n  p: {p:?}",
        with_p.intersection(&without_p).collect::<Vec<_>>()
    );
    check!(
        with_p.len() + without_p.len() == all.len(),
        "p and !p together have {} rows of {}\n  p: {p:?}",
        with_p.len() + without_p.len(),
        all.len()
    );
    check!(matching(not(&not(p))).await? == with_p, "!!p is not p\n  p: {p:?}");
    let both: BTreeSet<String> = with_p.intersection(&with_q).cloned().collect();
    let either: BTreeSet<String> = with_p.union(&with_q).cloned().collect();
    check!(matching(Filter::And(vec![p.clone(), q.clone()])).await? == both, "p & q is not the intersection\n  p: {p:?}\n  q: {q:?}");
    check!(matching(Filter::Or(vec![p.clone(), q.clone()])).await? == either, "p | q is not the union\n  p: {p:?}\n  q: {q:?}");
    let neither = matching(Filter::And(vec![not(p), not(q)])).await?;
    check!(matching(not(&Filter::Or(vec![p.clone(), q.clone()]))).await? == neither, "!(p | q) is not !p & !q\n  p: {p:?}\n  q: {q:?}");

    // NoREC: the same filter where no index can help, on rows read without it.
    let columns: Vec<usize> = (0..part.columns.len()).collect();
    let rows = select(context, part, &SubQuery { columns, ..SubQuery::default() }).await?;
    let judged: BTreeSet<String> = rows.into_iter().filter(|found| found.row.holds(part, p)).map(|found| found.row.id).collect();
    check!(judged == with_p, "the filter pushed down and the filter on rows read differ\n  p: {p:?}");

    let count = Aggregate {
        filter: p.clone(),
        ids: None,
        keys: Vec::new(),
        measures: vec![Measure { function: AggregateFunction::Count, column: None }],
    };
    if context.driver().plans_aggregate(part, &count) {
        let groups = context.driver().aggregate(part, &count).await?;
        let counted = groups.first().and_then(|group| group.measures.first().cloned());
        check!(counted == Some(Value::Int(with_p.len() as i64)), "count is {counted:?}, but {} rows come\n  p: {p:?}", with_p.len());
    }
    Ok(())
}

async fn prefixes(context: &Context, part: &Arc<Part>, random: &mut Random, p: &Filter) -> Outcome {
    let k = 1 + random.below(30);
    let order = if random.chance(70) { super::order::keys(random, part) } else { Vec::new() };
    let limited =
        |limit: Option<usize>, offset: usize| SubQuery { filter: p.clone(), order: order.clone(), limit, offset, ..SubQuery::default() };
    let whole = ids(context, part, &limited(None, 0)).await?;
    let some = ids(context, part, &limited(Some(k), 0)).await?;
    let more = ids(context, part, &limited(Some(2 * k), 0)).await?;
    let second = ids(context, part, &limited(Some(k), k)).await?;
    let prefix = |n: usize| &whole[..n.min(whole.len())];
    check!(some == prefix(k), "limit {k} is not the start of the whole\n  p: {p:?}\n  order: {order:?}");
    check!(more == prefix(2 * k), "limit {} is not the start of the whole\n  p: {p:?}\n  order: {order:?}", 2 * k);
    check!([some, second].concat() == more, "two pages of {k} are not one of {}\n  p: {p:?}\n  order: {order:?}", 2 * k);
    Ok(())
}
