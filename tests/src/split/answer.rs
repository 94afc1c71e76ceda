//! Answers: what the reference says to a query, what planner and executor say, and whether they are the same.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use heavenbase::driver::{Aggregate, Measure, OrderKey, SortKey, SubQuery};
use heavenbase::exec::{self, Bounds, Context, RowStream};
use heavenbase::filter::{Condition, Filter};
use heavenbase::plan::{Explain, Plan};
use heavenbase::query::{AggregateSpec, FieldRef, HavingSpec, MeasureSpec, QuerySpec, SearchSpec};
use heavenbase::types::Value;
use heavenbase::{Error, Status};

use super::{Placed, World};
use crate::reference::{Expected, Row, aggregate, agrees, condition_holds, near, page, same, sort_order, words};

/// One row of an answer: what was selected of it.
#[derive(Clone, Debug)]
pub struct Picked {
    /// The row's id.
    pub id: String,
    /// Its score, of a search.
    pub score: Option<f64>,
    /// The fields selected.
    pub values: Vec<Value>,
}

/// What a query answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Rows in order.
    Rows(Vec<Picked>),
    /// Groups in order: keys, then measures.
    Groups(Vec<Vec<Value>>),
    /// Groups in order, as the reference has them: keys, then what the measures may be.
    Expected(Vec<(Vec<Value>, Vec<Expected>)>),
    /// A refusal.
    Failed(Arc<Error>),
}

impl Answer {
    /// Whether there is anything in it.
    pub fn tells(&self) -> bool {
        match self {
            Answer::Rows(rows) => !rows.is_empty(),
            Answer::Groups(groups) => !groups.is_empty(),
            Answer::Expected(groups) => !groups.is_empty(),
            Answer::Failed(_) => false,
        }
    }
}

/// What planner and executor answer.
pub async fn run(placed: &Placed, spec: &QuerySpec, bounds: Bounds) -> Answer {
    match try_run(placed, spec, bounds).await {
        Ok(answer) => answer,
        Err(error) => Answer::Failed(Arc::new(error)),
    }
}

async fn try_run(placed: &Placed, spec: &QuerySpec, bounds: Bounds) -> Result<Answer, Error> {
    let context = Context::new(Arc::new(Plan::new(spec, &placed.target)?), placed.target.clone()).within(bounds);
    if spec.aggregate.is_some() {
        return exec::aggregate::run(&context).await.map(Answer::Groups);
    }
    let mut rows = Vec::new();
    let mut take = |mut page: heavenbase::driver::Page| {
        for at in 0..page.len() {
            let values = page.row_mut(at).iter_mut().map(Value::take).collect();
            rows.push(Picked { id: page.ids[at].as_str().to_owned(), score: page.scores.get(at).copied(), values });
        }
    };
    if spec.search.is_some() {
        take(exec::search::run(&context).await?.0);
    } else {
        let mut stream = RowStream::open(context).await?;
        while let Some(found) = stream.next().await? {
            take(found.0);
        }
    }
    Ok(Answer::Rows(rows))
}

/// The plan as text, for messages.
pub fn explain(placed: &Placed, spec: &QuerySpec) -> String {
    match Plan::new(spec, &placed.target) {
        Ok(plan) => Explain::of(&plan, &placed.target).to_string(),
        Err(error) => error.to_string(),
    }
}

/// What the reference answers.
pub fn expected(world: &World, spec: &QuerySpec) -> Answer {
    if let Some(wanted) = &spec.aggregate {
        return Answer::Expected(groups(world, &spec.filter, wanted));
    }
    let rows = world.table.matching(&world.whole, &spec.filter, None);
    let ranked: Vec<(&Row, Option<f64>)> = match &spec.search {
        Some(search) => {
            let ranking = rank(world, &rows, search, 0).into_iter();
            let cut = ranking.skip(spec.offset).take(spec.limit.unwrap_or(usize::MAX));
            cut.filter_map(|(id, score)| Some((world.table.rows.get(&id)?, Some(score)))).collect()
        }
        None => {
            let key = |name: &str| world.whole.column(name).map_or(SortKey::Id, |(column, _)| SortKey::Column(column));
            let order = spec.order.iter().map(|order| OrderKey { key: key(&order.field.name), descending: order.descending }).collect();
            let query = SubQuery { order, limit: spec.limit, offset: spec.offset, ..SubQuery::default() };
            page(rows, |row: &&Row| *row, &query).into_iter().map(|row| (row, None)).collect()
        }
    };
    let values = |row: &Row| match &spec.select {
        Some(fields) => fields.iter().map(|field| row.value(&world.whole, &field.name)).collect(),
        None => row.values.clone(),
    };
    Answer::Rows(ranked.into_iter().map(|(row, score)| Picked { id: row.id.clone(), score, values: values(row) }).collect())
}

fn rank(world: &World, rows: &[&Row], search: &SearchSpec, depth: usize) -> Vec<(String, f64)> {
    let sorted = |mut scored: Vec<(String, f64)>, k: usize| {
        scored.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then_with(|| a.0.as_bytes().cmp(b.0.as_bytes())));
        scored.truncate(k);
        scored
    };
    match search {
        SearchSpec::Near { field, vector, k } => {
            let Some((column, described)) = world.whole.column(&field.name) else { return Vec::new() };
            let stored = rows.iter().map(|row| (row.id.as_str(), &row.values[column]));
            let metric = described.metric.unwrap_or_default();
            near(metric, vector, depth.max(*k), stored).into_iter().map(|(id, score)| (id.to_owned(), score)).collect()
        }
        SearchSpec::Matches { field, text, k } => {
            let holds = |row: &&&Row| condition_holds(&Condition::Matches(text.clone()), &row.value(&world.whole, &field.name));
            let score = |row: &&Row| text_score(row.value(&world.whole, &field.name).as_text().unwrap_or_default(), text);
            sorted(rows.iter().filter(holds).map(|row| (row.id.clone(), score(row))).collect(), depth.max(*k))
        }
        // The random entities have no embedder: no row is near to a text.
        SearchSpec::NearText { .. } => Vec::new(),
        // Reciprocal rank fusion with the constant 60; each list is read ten times as deep as asked, at least to 100.
        SearchSpec::Hybrid { searches, k } => {
            let mut fused: BTreeMap<String, f64> = BTreeMap::new();
            for search in searches {
                for (place, (id, _)) in rank(world, rows, search, (k * 10).clamp(100, 10_000)).into_iter().enumerate() {
                    *fused.entry(id).or_default() += 1.0 / (60 + place + 1) as f64;
                }
            }
            sorted(fused.into_iter().collect(), *k)
        }
    }
}

/// The score of a text as `exec::text_score` documents it: saturation 1.2, length 0.75 of 100 words, each word once.
fn text_score(text: &str, query: &str) -> f64 {
    let found = words(text);
    let mut wanted = words(query);
    wanted.sort();
    wanted.dedup();
    let weight = 1.2 * (1.0 - 0.75 + 0.75 * found.len() as f64 / 100.0);
    let times = |word: &String| found.iter().filter(|other| *other == word).count() as f64;
    wanted.iter().map(|word| times(word) * (1.2 + 1.0) / (times(word) + weight)).sum()
}

fn column(world: &World, field: &FieldRef) -> usize {
    world.whole.column(&field.name).map_or(usize::MAX, |(column, _)| column)
}

fn groups(world: &World, filter: &Filter, wanted: &AggregateSpec) -> Vec<(Vec<Value>, Vec<Expected>)> {
    let mut specs = wanted.measures.clone();
    if let Some(having) = &wanted.having {
        tested(having, &mut specs);
    }
    let measures = specs.iter().map(|m| Measure { function: m.function, column: m.field.as_ref().map(|field| column(world, field)) });
    let keys: Vec<usize> = wanted.keys.iter().map(|field| column(world, field)).collect();
    let whole = Aggregate { filter: filter.clone(), ids: None, keys, measures: measures.collect() };
    let mut groups = aggregate(&world.table, &world.whole, &whole);
    groups.retain(|(_, found)| wanted.having.as_ref().is_none_or(|having| having_holds(having, &specs, found)));
    groups.sort_by(|(a, _), (b, _)| {
        let orders = a.iter().zip(b).map(|(x, y)| sort_order(x, y, false));
        orders.fold(Ordering::Equal, Ordering::then)
    });
    groups.iter_mut().for_each(|(_, measures)| measures.truncate(wanted.measures.len()));
    groups
}

fn tested(having: &HavingSpec, specs: &mut Vec<MeasureSpec>) {
    match having {
        HavingSpec::And(parts) | HavingSpec::Or(parts) => parts.iter().for_each(|part| tested(part, specs)),
        HavingSpec::Not(inner) => tested(inner, specs),
        HavingSpec::Test(measure, _) => specs.push(measure.clone()),
    }
}

fn having_holds(having: &HavingSpec, specs: &[MeasureSpec], found: &[Expected]) -> bool {
    match having {
        HavingSpec::And(parts) => parts.iter().all(|part| having_holds(part, specs, found)),
        HavingSpec::Or(parts) => parts.iter().any(|part| having_holds(part, specs, found)),
        HavingSpec::Not(inner) => !having_holds(inner, specs, found),
        HavingSpec::Test(measure, condition) => {
            let value = specs.iter().position(|spec| spec == measure).map(|at| &found[at]);
            matches!(value, Some(Expected::Exactly(value)) if condition_holds(condition, value))
        }
    }
}

/// What differs between the reference's answer and the one that came; `None` when they agree.
pub fn difference(world: &World, spec: &QuerySpec, wanted: &Answer, found: &Answer) -> Option<String> {
    match (wanted, found) {
        (Answer::Rows(wanted), Answer::Rows(found)) => {
            let ranked = spec.search.is_some();
            let loose = matches!(&spec.search, Some(SearchSpec::Near { field, .. }) if super::queries::rounded(world, field));
            let list = |rows: &[Picked]| {
                rows.iter()
                    .take(20)
                    .map(|row| format!("{:?}{}", row.id, row.score.map_or(String::new(), |s| format!(" {s:.9}"))))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            let lists = || format!("\n  expected: {}\n  found:    {}", list(wanted), list(found));
            if wanted.len() != found.len() {
                return Some(format!("{} rows instead of {}{}", found.len(), wanted.len(), lists()));
            }
            for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                if ranked {
                    let (Some(right), Some(came)) = (wanted.score, found.score) else { return Some(format!("row {at} has no score")) };
                    if (right - came).abs() > 1e-6 * (1.0 + right.abs()) {
                        return Some(format!("score {at} is {came} instead of {right}{}", lists()));
                    }
                }
                if wanted.id != found.id && !loose {
                    return Some(format!("row {at} is {:?} instead of {:?}{}", found.id, wanted.id, lists()));
                }
                let Some(row) = world.table.rows.get(&found.id) else { return Some(format!("row {at}, {:?}, does not exist", found.id)) };
                if loose && !row.holds(&world.whole, &spec.filter) {
                    return Some(format!("row {at}, {:?}, does not match", found.id));
                }
                let own: Vec<Value> = match &spec.select {
                    Some(fields) => fields.iter().map(|field| row.value(&world.whole, &field.name)).collect(),
                    None => row.values.clone(),
                };
                if own.len() != found.values.len() || own.iter().zip(&found.values).any(|(a, b)| !same(a, b)) {
                    return Some(format!("row {at}, {:?}: {:?} instead of {own:?}", found.id, found.values));
                }
            }
            None
        }
        (Answer::Expected(wanted), Answer::Groups(found)) => {
            if wanted.iter().any(|(_, measures)| measures.iter().any(|m| matches!(m, Expected::Overflow))) {
                return Some("a sum that does not fit is answered without an error".to_owned());
            }
            if wanted.len() != found.len() {
                return Some(format!("{} groups instead of {}:\n  expected: {wanted:?}\n  found:    {found:?}", found.len(), wanted.len()));
            }
            let agree = |(keys, measures): &(Vec<Value>, Vec<Expected>), found: &Vec<Value>| {
                found.len() == keys.len() + measures.len()
                    && keys.iter().zip(found).all(|(a, b)| crate::reference::equal(a, b))
                    && measures.iter().zip(&found[keys.len()..]).all(|(a, b)| agrees(a, b))
            };
            let wrong = wanted.iter().zip(found).find(|(wanted, found)| !agree(wanted, found))?;
            Some(format!("group {:?} instead of {:?}", wrong.1, wrong.0))
        }
        // A sum may overflow; in a measure that only `having` asks for, too.
        (Answer::Expected(_), Answer::Failed(error)) => {
            let all = groups(world, &spec.filter, &AggregateSpec { having: None, ..spec.aggregate.clone().unwrap_or_default() });
            let may =
                all.iter().any(|(_, m)| m.iter().any(|m| matches!(m, Expected::Overflow | Expected::OrOverflow(_) | Expected::Anything)));
            (!may || error.status() != Status::Permanent).then(|| format!("an error: {error:?}"))
        }
        (_, Answer::Failed(error)) => Some(format!("an error: {error:?}")),
        (wanted, found) => Some(format!("{found:?} instead of {wanted:?}")),
    }
}
