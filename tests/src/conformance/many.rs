//! Many rows and many at once: nothing is cut, nothing is lost, no row is torn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use heavenbase::Status;
use heavenbase::driver::{Aggregate, AggregateFunction, Measure, OrderKey, Position, SortKey, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::types::{Id, Value};

use super::context::{Context, Failure, Outcome};
use super::select::select;
use crate::check;
use crate::data::{Spec, specs_of};
use crate::random::Random;

/// The first field of a class as it lies inline.
fn field(context: &Context, class: &str) -> Option<Spec> {
    specs_of(context.setup.kind, Some(class)).into_iter().find(|spec| spec.nullable && spec.metric.is_none())
}

/// More rows than any page, result window or default limit: 30,000 on embedded drivers and where it is asked for, else 3,000.
pub async fn rows(context: &Context) -> Outcome {
    let (Some(number), Some(text)) = (field(context, "Int"), field(context, "Text")) else { return Ok(()) };
    let part = context.part("many", &[number, text]).await?;
    let description = context.driver().description();
    let count: usize = if context.setup.large || description.embedded { 30_000 } else { 3_000 };
    let id = |n: usize| Id::from(format!("r{n:06}"));
    let most = description.max_batch.clamp(1, 5_000);
    for (from, version) in (0..count).step_by(most).zip(1..) {
        let to = (from + most).min(count);
        let values = (from..to).flat_map(|n| [Value::Int(n as i64 % 100), Value::Text(format!("text {n}"))]).collect();
        let ids = (from..to).map(id).collect();
        let batch = WriteBatch { mode: WriteMode::Upsert, version, ids, columns: vec![0, 1], values, expected: Vec::new() };
        let report = context.driver().write(&part, Arc::new(batch)).await?;
        check!(report.stale.is_empty() && report.missing.is_empty(), "new rows are reported: {report:?}");
    }
    context.driver().refresh(&part).await?;

    let all = select(context, &part, &SubQuery { columns: vec![1], ..SubQuery::default() }).await?;
    check!(all.len() == count, "{} rows of {count} came back", all.len());
    for (n, found) in all.iter().enumerate() {
        let right = found.row.id == id(n).as_str() && found.row.values[1] == Value::Text(format!("text {n}"));
        check!(right, "row {n} is {:?} with {:?}", found.row.id, found.row.values[1]);
    }
    let order = vec![OrderKey { key: SortKey::Column(0), descending: true }];
    let sorted = select(context, &part, &SubQuery { order: order.clone(), columns: vec![0], ..SubQuery::default() }).await?;
    check!(sorted.len() == count, "{} rows of {count} came back in order", sorted.len());
    let expected = |at: usize| 99 - at / (count / 100);
    for (at, found) in sorted.iter().enumerate() {
        check!(found.row.values[0] == Value::Int(expected(at) as i64), "place {at} of the order holds {:?}", found.row.values[0]);
    }
    let limit = count - 1_500;
    let most_of = select(context, &part, &SubQuery { limit: Some(limit), offset: 700, ..SubQuery::default() }).await?;
    check!(most_of.len() == limit && most_of[0].row.id == id(700).as_str(), "limit {limit} offset 700 gives {} rows", most_of.len());
    let last = &sorted[count - 2];
    let after = Some(Position { keys: vec![last.row.values[0].clone()], id: Id::from(last.row.id.as_str()) });
    let tail = select(context, &part, &SubQuery { order, after, ..SubQuery::default() }).await?;
    check!(tail.len() == 1, "after the last but one come {} rows", tail.len());

    let filter = Filter::from(Test::new(part.columns[0].name, Condition::Lt(Value::Int(90))));
    let most_match = select(context, &part, &SubQuery { filter: filter.clone(), ..SubQuery::default() }).await?;
    check!(most_match.len() == count / 10 * 9, "a filter that {} rows match gives {}", count / 10 * 9, most_match.len());
    let counting =
        Aggregate { filter, ids: None, keys: Vec::new(), measures: vec![Measure { function: AggregateFunction::Count, column: None }] };
    if context.driver().plans_aggregate(&part, &counting) {
        let groups = context.driver().aggregate(&part, &counting).await?;
        check!(groups[0].measures[0] == Value::Int((count / 10 * 9) as i64), "count says {:?}", groups[0].measures[0]);
    }
    let ids: Arc<[Id]> = (0..count).step_by(2).take(description.max_ids).map(id).collect();
    let half = select(context, &part, &SubQuery { ids: Some(ids.clone()), ..SubQuery::default() }).await?;
    check!(half.len() == ids.len(), "of {} ids {} rows came back", ids.len(), half.len());
    let fetched = context.driver().fetch(&part, &ids, &[0]).await?;
    check!(fetched.ids == ids[..], "fetch of {} ids gives {} rows", ids.len(), fetched.len());
    Ok(())
}

/// Writers and readers at once: the greatest version of each row wins, and no reader sees a row with values of two versions.
pub async fn at_once(context: &Context) -> Outcome {
    let (Some(number), Some(text)) = (field(context, "Int"), field(context, "Text")) else { return Ok(()) };
    let part = context.part("at_once", &[number, text]).await?;
    let versions = Arc::new(AtomicI64::new(1));
    let done = Arc::new(AtomicBool::new(false));
    let rounds = context.rounds(40);
    let mut writers = Vec::new();
    for _ in 0..4 {
        let (driver, part, versions) = (context.setup.driver.clone(), part.clone(), versions.clone());
        let mut random = context.random();
        writers.push(tokio::spawn(async move { writer(&*driver, &part, &versions, &mut random, rounds).await }));
    }
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (driver, part, done) = (context.setup.driver.clone(), part.clone(), done.clone());
        readers.push(tokio::spawn(async move {
            let query = Arc::new(SubQuery { columns: vec![0, 1], page_rows: 3, ..SubQuery::default() });
            while !done.load(Ordering::Relaxed) {
                let mut stream = driver.open(part.clone(), query.clone())?;
                while let Some(page) = stream.next_page().await? {
                    for at in 0..page.len() {
                        let version = page.versions[at];
                        let whole = page.row(at) == [Value::Int(version), Value::Text(format!("v{version}"))];
                        check!(whole, "a torn row: version {version}, values {:?}", page.row(at));
                    }
                }
                tokio::task::yield_now().await;
            }
            Outcome::Ok(())
        }));
    }
    let mut latest: BTreeMap<String, i64> = BTreeMap::new();
    let mut failed = None;
    for writer in writers {
        match writer.await {
            Ok(Ok(wrote)) => wrote.into_iter().for_each(|(id, version)| {
                let last = latest.entry(id).or_insert(version);
                *last = version.max(*last);
            }),
            Ok(Err(failure)) => failed = Some(failure),
            Err(panic) => failed = Some(Failure(format!("a writer broke off: {panic}"))),
        }
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        match reader.await {
            Ok(outcome) => outcome?,
            Err(panic) => return Err(Failure(format!("a reader broke off: {panic}"))),
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    context.driver().refresh(&part).await?;
    let found = select(context, &part, &SubQuery::default()).await?;
    let stored: BTreeMap<String, i64> = found.into_iter().map(|found| (found.row.id, found.row.version)).collect();
    check!(stored == latest, "after all writes the rows have versions {stored:?}, the last written are {latest:?}");
    Ok(())
}

async fn writer(
    driver: &dyn heavenbase::driver::Driver,
    part: &Arc<heavenbase::schema::Part>,
    versions: &AtomicI64,
    random: &mut Random,
    rounds: usize,
) -> Outcome<Vec<(String, i64)>> {
    let mut wrote = Vec::new();
    for _ in 0..rounds {
        let version = versions.fetch_add(1, Ordering::Relaxed);
        let ids: Vec<Id> = (0..12).filter(|_| random.chance(40)).map(|n| Id::from(format!("r{n}"))).collect();
        let values = ids.iter().flat_map(|_| [Value::Int(version), Value::Text(format!("v{version}"))]).collect();
        let batch =
            Arc::new(WriteBatch { mode: WriteMode::Upsert, version, ids: ids.clone(), columns: vec![0, 1], values, expected: Vec::new() });
        let mut tries = 0;
        while let Err(error) = driver.write(part, batch.clone()).await {
            // A busy engine may ask to try again; the batch is idempotent.
            tries += 1;
            if error.status() == Status::Permanent || tries > 50 {
                return Err(error.into());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        wrote.extend(ids.into_iter().map(|id| (id.into_string(), version)));
    }
    Ok(wrote)
}
