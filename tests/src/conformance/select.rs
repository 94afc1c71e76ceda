//! Running a sub-query as the planner will: what the driver does not take, the suite does with the reference.

use std::sync::Arc;

use heavenbase::driver::{Page, Pushdown, SubQuery};
use heavenbase::filter::Filter;
use heavenbase::schema::Part;
use heavenbase::types::Value;

use super::context::{Context, Failure, Outcome, describe};
use crate::check;
use crate::reference::{Row, Table, page, same, score};

/// A row that a sub-query found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The row; only the columns asked for have values.
    pub row: Row,
    /// Its score, of a search.
    pub score: Option<f64>,
}

/// Runs a sub-query on the driver and completes what its plan left over.
///
/// # Errors
/// When the driver fails or breaks a promise of the trait.
pub async fn select(context: &Context, part: &Arc<Part>, wanted: &SubQuery) -> Outcome<Vec<Found>> {
    let plan = context.driver().plan(part, wanted);
    let silent = context.driver().takes(part, wanted);
    check!(Pushdown { text: plan.text.clone(), ..silent } == plan, "`takes` is not what `plan` says: {plan:?}");
    let orders = wanted.order.is_empty() || plan.order;
    let limits = (wanted.limit.is_none() && wanted.offset == 0) || plan.limit;
    let searches = wanted.near.is_none() || plan.near;
    if !plan.remainder.is_all() {
        let early = plan.limit && (wanted.limit.is_some() || wanted.offset > 0) || plan.near && wanted.near.is_some();
        check!(!early, "the plan takes limit or near although it leaves `{:?}`", plan.remainder);
    }
    if plan.remainder.is_all() && orders && limits && searches {
        return open(context, part, &SubQuery { filter: plan.taken, ..wanted.clone() }).await;
    }
    if let Some(near) = &wanted.near {
        let all = SubQuery { near: None, limit: None, columns: (0..part.columns.len()).collect(), ..wanted.clone() };
        let candidates = Box::pin(select(context, part, &all)).await?;
        let mut ids: Vec<_> = candidates.iter().map(|found| heavenbase::types::Id::from(found.row.id.as_str())).collect();
        ids.sort();
        if searches || ids.len() > context.driver().description().max_ids {
            let mut scored: Vec<Found> = candidates
                .into_iter()
                .filter_map(|found| {
                    let stored = found.row.values[near.column].as_vector()?.to_vec();
                    Some(Found { score: Some(score(near.metric, &near.vector, &stored)), ..found })
                })
                .collect();
            scored.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.row.id.cmp(&b.row.id)));
            scored.truncate(near.k);
            return Ok(scored);
        }
        let search = SubQuery { filter: Filter::all(), ids: Some(ids.into()), ..wanted.clone() };
        let plan = context.driver().plan(part, &search);
        check!(plan.near, "near over a set of ids alone is not taken");
        return open(context, part, &search).await;
    }
    let narrowed = SubQuery {
        filter: plan.taken.clone(),
        ids: wanted.ids.clone(),
        columns: (0..part.columns.len()).collect(),
        page_rows: wanted.page_rows,
        ..SubQuery::default()
    };
    let again = context.driver().plan(part, &narrowed);
    check!(again.remainder.is_all(), "what the plan took is not taken when asked for alone: `{:?}`", plan.taken);
    let found = open(context, part, &narrowed).await?;
    let kept: Vec<Found> = found.into_iter().filter(|found| found.row.holds(part, &plan.remainder)).collect();
    Ok(page(kept, |found| &found.row, wanted))
}

/// Runs a sub-query that is taken whole, to the end of its stream.
async fn open(context: &Context, part: &Arc<Part>, query: &SubQuery) -> Outcome<Vec<Found>> {
    let mut stream = context.setup.driver.open(part.clone(), Arc::new(query.clone()))?;
    let mut found = Vec::new();
    while let Some(page) = stream.next_page().await? {
        check!(!page.is_empty(), "a stream yields an empty page");
        check!(page.width == query.columns.len(), "a page is {} columns wide, {} were asked for", page.width, query.columns.len());
        check!(
            page.versions.len() == page.len() && page.values.len() == page.len() * page.width,
            "a page of {} ids has {} versions and {} values",
            page.len(),
            page.versions.len(),
            page.values.len()
        );
        check!(
            page.scores.len() == if query.near.is_some() { page.len() } else { 0 },
            "a page of {} rows has {} scores",
            page.len(),
            page.scores.len()
        );
        found.extend(rows_of(part, &query.columns, page));
        check!(found.len() < 1_000_000, "the stream does not end");
    }
    Ok(found)
}

/// A page's rows, the columns not asked for null.
pub fn rows_of(part: &Part, columns: &[usize], mut page: Page) -> Vec<Found> {
    (0..page.len())
        .map(|at| {
            let mut values = vec![Value::Null; part.columns.len()];
            for (column, value) in columns.iter().zip(page.row_mut(at)) {
                values[*column] = value.take();
            }
            let row = Row { id: page.ids[at].as_str().to_owned(), version: page.versions[at], values };
            Found { row, score: page.scores.get(at).copied() }
        })
        .collect()
}

/// Compares found rows with the expected ones: ids in order, versions, the values of these columns.
///
/// # Errors
/// With the first difference.
pub fn compare_rows(part: &Part, columns: &[usize], expected: &[&Row], found: &[Found]) -> Outcome {
    let difference = || {
        if expected.len() != found.len() {
            return Some(format!("{} rows instead of {}", found.len(), expected.len()));
        }
        for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
            if expected.id != found.row.id {
                return Some(format!("row {at} is {:?} instead of {:?}", found.row.id, expected.id));
            }
            if expected.version != found.row.version {
                return Some(format!("row {:?} has version {} instead of {}", expected.id, found.row.version, expected.version));
            }
            for column in columns {
                if !same(&expected.values[*column], &found.row.values[*column]) {
                    return Some(format!(
                        "row {:?}, `{}`: {} instead of {}",
                        expected.id,
                        part.columns[*column].name,
                        short(&found.row.values[*column]),
                        short(&expected.values[*column])
                    ));
                }
            }
        }
        None
    };
    let Some(difference) = difference() else { return Ok(()) };
    let list = |ids: Vec<&str>| format!("{:?}{}", &ids[..ids.len().min(30)], if ids.len() > 30 { " …" } else { "" });
    Err(Failure(format!(
        "{difference}\n  expected ids: {}\n  found ids:    {}",
        list(expected.iter().map(|row| row.id.as_str()).collect()),
        list(found.iter().map(|found| found.row.id.as_str()).collect()),
    )))
}

/// A value as text, cut for messages.
pub fn short(value: &Value) -> String {
    let text = format!("{value:?}");
    if text.chars().count() > 200 { format!("{}… ({} bytes)", text.chars().take(200).collect::<String>(), text.len()) } else { text }
}

/// Runs a sub-query on driver and table, and compares. A filter that fails is cut down before it is reported.
///
/// # Errors
/// With the smallest filter found that shows the difference.
pub async fn compare(context: &Context, part: &Arc<Part>, table: &Table, wanted: &SubQuery) -> Outcome {
    let mut smallest = wanted.clone();
    let Err(mut why) = compare_once(context, part, table, wanted).await else { return Ok(()) };
    'smaller: loop {
        let children: Vec<Filter> = match smallest.filter.clone() {
            Filter::And(parts) | Filter::Or(parts) => parts,
            Filter::Not(inner) => vec![*inner],
            Filter::Test(_) => Vec::new(),
        };
        let mut candidates: Vec<SubQuery> = children.into_iter().map(|filter| SubQuery { filter, ..smallest.clone() }).collect();
        candidates.push(SubQuery { limit: None, offset: 0, ..smallest.clone() });
        candidates.push(SubQuery { order: Vec::new(), after: None, ..smallest.clone() });
        candidates.push(SubQuery { ids: None, ..smallest.clone() });
        for candidate in candidates {
            if candidate != smallest
                && let Err(smaller) = compare_once(context, part, table, &candidate).await
            {
                (smallest, why) = (candidate, smaller);
                continue 'smaller;
            }
        }
        break;
    }
    let plan = context.driver().plan(part, &smallest);
    let mut fields = Vec::new();
    smallest.filter.for_each_test(&mut |test| fields.push(test.field.to_string()));
    let columns: Vec<_> = part.columns.iter().filter(|column| fields.iter().any(|field| field == column.name)).cloned().collect();
    Err(Failure(format!(
        "{}\n  filter:   {:?}\n  order:    {:?}, after {:?}, limit {:?}, offset {}, ids {:?}\n  fields:   {}\n  plan:     {}\n  taken:    {:?}\n  remains:  {:?}",
        why.0,
        smallest.filter,
        smallest.order,
        smallest.after,
        smallest.limit,
        smallest.offset,
        smallest.ids.as_ref().map(|ids| ids.len()),
        describe(&Part { columns, ..(**part).clone() }),
        plan.text,
        plan.taken,
        plan.remainder,
    )))
}

async fn compare_once(context: &Context, part: &Arc<Part>, table: &Table, wanted: &SubQuery) -> Outcome {
    let found = select(context, part, wanted).await?;
    compare_rows(part, &wanted.columns, &table.select(part, wanted), &found)
}
