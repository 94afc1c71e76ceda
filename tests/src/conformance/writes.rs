//! Writes: modes, guards by version, uniqueness, all or nothing; and fetch.

use std::sync::Arc;

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteBatch, WriteMode};
use heavenbase::schema::Part;
use heavenbase::types::{Id, LogicalType, Value};

use super::context::{Context, Outcome};
use super::select::{compare, compare_rows, rows_of};
use crate::check;
use crate::data::{self, Spec, specs_of};
use crate::random::Random;
use crate::reference::{Row, Table};

/// Some fields of any class.
fn some_specs(context: &Context, random: &mut Random) -> Vec<Spec> {
    let mut specs = specs_of(context.setup.kind, None);
    random.shuffle(&mut specs);
    specs.truncate(6);
    specs
}

fn ids(names: &[&str]) -> Vec<Id> {
    names.iter().map(|name| Id::from(*name)).collect()
}

async fn all_agree(context: &Context, part: &Arc<Part>, table: &Table) -> Outcome {
    let columns = (0..part.columns.len()).collect();
    compare(context, part, table, &SubQuery { columns, ..SubQuery::default() }).await
}

/// New rows appear; one id that is there fails the batch and leaves nothing of it.
pub async fn insert(context: &Context) -> Outcome {
    let mut random = context.random();
    let part = context.part("insert", &some_specs(context, &mut random)).await?;
    let mut table = Table::default();
    for (version, names) in [(1, &["b", "a", "it's"][..]), (2, &["c", "d", "a"]), (3, &["c"]), (4, &["a"])] {
        let batch = context.batch(&mut random, &part, WriteMode::Insert, version, ids(names));
        context.write(&part, &mut table, batch).await?;
        all_agree(context, &part, &table).await?;
    }
    Ok(())
}

/// Whole rows are replaced; older and equal versions change nothing and are reported.
pub async fn upsert(context: &Context) -> Outcome {
    let mut random = context.random();
    let part = context.part("upsert", &some_specs(context, &mut random)).await?;
    let mut table = Table::default();
    for (version, names) in
        [(5, &["a", "b", "c"][..]), (7, &["b", "d"]), (6, &["a", "b", "d", "e"]), (5, &["c", "f"]), (9, &["a", "b", "c", "d", "e", "f"])]
    {
        let batch = context.batch(&mut random, &part, WriteMode::Upsert, version, ids(names));
        context.write(&part, &mut table, batch.clone()).await?;
        all_agree(context, &part, &table).await?;
        // The same batch once more, as a recovery would write it.
        context.write(&part, &mut table, batch).await?;
        all_agree(context, &part, &table).await?;
    }
    Ok(())
}

/// Only the columns named change; absent rows are reported, not made; expected versions are kept.
pub async fn patch(context: &Context) -> Outcome {
    let mut random = context.random();
    let part = context.part("patch", &some_specs(context, &mut random)).await?;
    let mut table = Table::default();
    let batch = context.batch(&mut random, &part, WriteMode::Upsert, 1, ids(&["a", "b", "c", "d"]));
    context.write(&part, &mut table, batch).await?;
    for version in 2..20 {
        let mut names = vec!["a", "b", "c", "d", "absent", "e"];
        random.shuffle(&mut names);
        names.truncate(1 + random.below(5));
        let columns: Vec<usize> = (0..part.columns.len()).filter(|_| random.chance(40)).collect();
        let values = names.iter().flat_map(|_| columns.clone()).map(|column| context.value(&mut random, &part, column)).collect();
        let stored = |name: &&str| table.rows.get(*name).map_or(1, |row| row.version);
        let expected =
            if random.chance(50) { names.iter().map(|name| stored(name) - i64::from(random.chance(20))).collect() } else { Vec::new() };
        // A writer that expects a version has seen it, and gives a greater one.
        let version = if random.chance(80) || !expected.is_empty() { version } else { version / 2 };
        let batch = WriteBatch { mode: WriteMode::Patch, version, ids: ids(&names), columns, values, expected };
        context.write(&part, &mut table, batch.clone()).await?;
        all_agree(context, &part, &table).await?;
        context.write(&part, &mut table, batch).await?;
        all_agree(context, &part, &table).await?;
    }
    Ok(())
}

/// Rows go; absent ones are reported; newer ones stay.
pub async fn delete(context: &Context) -> Outcome {
    let mut random = context.random();
    let part = context.part("delete", &some_specs(context, &mut random)).await?;
    let mut table = Table::default();
    let batch = context.batch(&mut random, &part, WriteMode::Upsert, 5, ids(&["a", "b", "c", "d", "e"]));
    context.write(&part, &mut table, batch).await?;
    for (version, names) in [(4, &["a", "zz"][..]), (5, &["b"]), (6, &["c", "absent"]), (7, &["c", "d"]), (8, &["a", "b", "c", "d", "e"])] {
        let batch = context.batch(&mut random, &part, WriteMode::Delete, version, ids(names));
        context.write(&part, &mut table, batch).await?;
        all_agree(context, &part, &table).await?;
    }
    // What was deleted can be written again, also with a lower version: nothing of it is left.
    let batch = context.batch(&mut random, &part, WriteMode::Insert, 3, ids(&["a", "b"]));
    context.write(&part, &mut table, batch).await?;
    all_agree(context, &part, &table).await
}

/// A long random history of all modes over few ids.
pub async fn random_history(context: &Context) -> Outcome {
    let mut random = context.random();
    let part = context.part("history", &some_specs(context, &mut random)).await?;
    let mut table = Table::default();
    let pool: Vec<Id> = (0..25).map(|number| data::id(&mut random, number)).collect();
    for step in 0..context.rounds(120) {
        let mode = *random.pick(&[WriteMode::Insert, WriteMode::Upsert, WriteMode::Upsert, WriteMode::Patch, WriteMode::Delete]);
        let mut chosen = pool.clone();
        random.shuffle(&mut chosen);
        chosen.truncate(1 + random.below(6));
        let version = step as i64 + 1 - random.below(4) as i64;
        let mut batch = context.batch(&mut random, &part, mode, version, chosen);
        if mode == WriteMode::Patch {
            let columns: Vec<usize> = (0..part.columns.len()).filter(|_| random.chance(50)).collect();
            batch.values =
                (0..batch.len()).flat_map(|row| columns.iter().map(|c| batch.row(row)[*c].clone()).collect::<Vec<_>>()).collect();
            batch.columns = columns;
        }
        context.write(&part, &mut table, batch).await?;
        if step % 10 == 0 {
            all_agree(context, &part, &table).await?;
        }
    }
    all_agree(context, &part, &table).await
}

/// Unique fields and groups: a violation is refused and leaves nothing; null is never equal to null.
pub async fn unique(context: &Context) -> Outcome {
    let kind = context.setup.kind;
    let inline = |class: &str| specs_of(kind, Some(class)).into_iter().any(|spec| spec.placement == Placement::InlineColumn);
    if !inline("Text") || !inline("Int") {
        return Ok(());
    }
    let short = LogicalType::Text { max: 100 };
    let specs = [
        Spec::new("code", short, Placement::InlineColumn).unique(),
        Spec::new("number", LogicalType::INT, Placement::InlineColumn),
        Spec::new("group", short, Placement::InlineColumn),
    ];
    let mut entity = Spec::entity("unique", &specs);
    entity.uniques = &[&["number", "group"]];
    let part = context.lay_out(entity, &context.setup.namespace)?;
    if !context.setup.manners.unique {
        let refused = context.ensure(&part).await.is_err_and(|error| error.kind() == ErrorKind::InvalidSchema);
        check!(refused, "a part with unique fields is not refused as `InvalidSchema`, although nobody would keep them unique");
        return Ok(());
    }
    context.ensure(&part).await?;
    let mut table = Table::default();
    let mut random = context.random();
    for step in 0..context.rounds(80) {
        let number = 1 + random.below(3);
        let mut chosen: Vec<Id> = (0..8).map(|n| Id::from(format!("r{n}"))).collect();
        random.shuffle(&mut chosen);
        chosen.truncate(number);
        let mode = *random.pick(&[WriteMode::Insert, WriteMode::Upsert, WriteMode::Upsert, WriteMode::Patch]);
        let mut values = Vec::new();
        for _ in &chosen {
            let text = *random.pick(&["x", "X", "x ", "", "caf\u{e9}", "cafe\u{301}", "y", "z", "w", "v", "u"]);
            values.push(if random.chance(25) { Value::Null } else { Value::Text(text.to_owned()) });
            values.push(if random.chance(25) { Value::Null } else { Value::Int(random.below(4) as i64) });
            values.push(if random.chance(25) { Value::Null } else { Value::Text((*random.pick(&["g", "h", "G"])).to_owned()) });
        }
        let batch = WriteBatch { mode, version: step as i64 + 1, ids: chosen, columns: vec![0, 1, 2], values, expected: Vec::new() };
        if passes_through_a_clash(&part, &table, &batch) {
            continue;
        }
        context.write(&part, &mut table, batch).await?;
        all_agree(context, &part, &table).await?;
    }
    Ok(())
}

/// Whether rows of the batch clash with each other's old values, though not at the end: an engine that checks row by row
/// may refuse that, and the semantics do not say. Also an id that is there and a unique clash at once: either error is right.
fn passes_through_a_clash(part: &Part, table: &Table, batch: &WriteBatch) -> bool {
    let mut stepwise = table.clone();
    let mut clashes = false;
    for row in 0..batch.len() {
        let one = WriteBatch { ids: vec![batch.ids[row].clone()], values: batch.row(row).to_vec(), ..batch.clone() };
        clashes |= stepwise.write(part, &one).is_err();
    }
    let whole = table.clone().write(part, batch);
    let present = batch.mode == WriteMode::Insert && batch.ids.iter().any(|id| table.rows.contains_key(id.as_str()));
    whole.is_ok() == clashes || present && clashes
}

/// Rows by id: in the order asked for, absent ones left out, only the columns asked for.
pub async fn fetch(context: &Context) -> Outcome {
    let mut random = context.random();
    let (part, table) = context.filled("fetch", &some_specs(context, &mut random), 60).await?;
    for _ in 0..context.rounds(40) {
        let mut ids: Vec<Id> = table.rows.keys().filter(|_| random.chance(30)).map(|id| Id::from(id.as_str())).collect();
        ids.extend(ids_absent(&mut random));
        random.shuffle(&mut ids);
        ids.truncate(context.driver().description().max_ids);
        let columns: Vec<usize> = (0..part.columns.len()).rev().filter(|_| random.chance(50)).collect();
        let page = context.driver().fetch(&part, &ids, &columns).await?;
        check!(
            page.width == columns.len() && page.scores.is_empty(),
            "fetch gives a page {} columns wide instead of {}",
            page.width,
            columns.len()
        );
        let expected: Vec<&Row> = ids.iter().filter_map(|id| table.rows.get(id.as_str())).collect();
        compare_rows(&part, &columns, &expected, &rows_of(&part, &columns, page))?;
        if let Some(id) = ids.first() {
            let page = context.driver().fetch_one(&part, id, &columns).await?;
            let expected: Vec<&Row> = table.rows.get(id.as_str()).into_iter().collect();
            compare_rows(&part, &columns, &expected, &rows_of(&part, &columns, page))?;
        }
    }
    let none = context.driver().fetch(&part, &[], &[0]).await?;
    check!(none.is_empty(), "fetch of no id gives {} rows", none.len());
    Ok(())
}

fn ids_absent(random: &mut Random) -> Vec<Id> {
    ["absent", "e", "E0001", " ", "%"].into_iter().filter(|_| random.chance(30)).map(Id::from).collect()
}

/// An empty part answers every question with nothing, and an empty batch does nothing.
pub async fn empty(context: &Context) -> Outcome {
    let mut random = context.random();
    let (part, mut table) = context.filled("empty", &some_specs(context, &mut random), 0).await?;
    all_agree(context, &part, &table).await?;
    for mode in [WriteMode::Insert, WriteMode::Upsert, WriteMode::Patch, WriteMode::Delete] {
        let batch = context.batch(&mut random, &part, mode, 1, Vec::new());
        let report = context.driver().write(&part, Arc::new(batch)).await?;
        check!(report.stale.is_empty() && report.missing.is_empty(), "an empty batch reports {report:?}");
    }
    let batch = context.batch(&mut random, &part, WriteMode::Delete, 1, ids(&["a"]));
    context.write(&part, &mut table, batch).await?;
    for _ in 0..context.rounds(10) {
        let filter = data::filter(&mut random, &part, &table, 2, context.setup.manners);
        compare(context, &part, &table, &SubQuery { filter, columns: vec![0], ..SubQuery::default() }).await?;
    }
    Ok(())
}
