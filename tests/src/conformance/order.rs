//! Order, limit, offset, keyset positions.

use std::sync::Arc;

use heavenbase::capability::{Operation, Support, questions};
use heavenbase::driver::{OrderKey, Position, SortKey, SubQuery};
use heavenbase::schema::Part;
use heavenbase::types::Id;

use super::context::{Context, Outcome};
use super::select::{compare, compare_rows, select};
use crate::check;
use crate::data::{self, specs_of};
use crate::random::Random;
use crate::reference::{Row, Table};

fn sorts(part: &Part, column: usize) -> bool {
    let column = &part.columns[column];
    questions::support(part.kind, Operation::Sort, column.logical.class(), column.placement) == Support::Native
}

/// One to three random keys; now and then the id is one of them.
pub fn keys(random: &mut Random, part: &Part) -> Vec<OrderKey> {
    let mut candidates: Vec<SortKey> = (0..part.columns.len()).filter(|c| sorts(part, *c)).map(SortKey::Column).collect();
    if random.chance(10) {
        candidates.push(SortKey::Id);
    }
    random.shuffle(&mut candidates);
    candidates.truncate(1 + random.below(3));
    candidates.into_iter().map(|key| OrderKey { key, descending: random.chance(50) }).collect()
}

/// By each field of the class that sorts, up and down. What is native must be taken.
pub async fn sorted(context: &Context, class: &str) -> Outcome {
    let (part, table) = context.filled("sorted", &specs_of(context.setup.kind, Some(class)), 90).await?;
    let mut random = context.random();
    for column in (0..part.columns.len()).filter(|c| sorts(&part, *c)) {
        for descending in [false, true] {
            let order = vec![OrderKey { key: SortKey::Column(column), descending }];
            let plain = SubQuery { order, columns: vec![column], ..SubQuery::default() };
            check!(context.driver().plan(&part, &plain).order, "the order by {class} is native in the table, but not taken");
            compare(context, &part, &table, &plain).await?;
            paged(context, &part, &table, &mut random, &plain).await?;
        }
    }
    Ok(())
}

/// Random orders over all classes, read page after page.
pub async fn pages(context: &Context) -> Outcome {
    for round in 0..3 {
        let mut random = context.random();
        let mut specs = specs_of(context.setup.kind, None);
        random.shuffle(&mut specs);
        specs.truncate(9);
        let (part, table) = context.filled(&format!("pages{round}"), &specs, 100).await?;
        for _ in 0..context.rounds(25) {
            let filter = if random.chance(60) {
                data::filter(&mut random, &part, &table, 2, context.setup.manners)
            } else {
                heavenbase::filter::Filter::all()
            };
            let query =
                SubQuery { filter, order: keys(&mut random, &part), columns: (0..part.columns.len()).collect(), ..SubQuery::default() };
            paged(context, &part, &table, &mut random, &query).await?;
        }
    }
    Ok(())
}

/// By the id alone, both ways, and pages of it.
pub async fn by_id(context: &Context) -> Outcome {
    let mut specs = specs_of(context.setup.kind, None);
    specs.truncate(2);
    let (part, table) = context.filled("by_id", &specs, 150).await?;
    let mut random = context.random();
    for order in [vec![], vec![OrderKey { key: SortKey::Id, descending: false }], vec![OrderKey { key: SortKey::Id, descending: true }]] {
        let query = SubQuery { order, columns: vec![0], ..SubQuery::default() };
        compare(context, &part, &table, &query).await?;
        paged(context, &part, &table, &mut random, &query).await?;
    }
    Ok(())
}

/// Pages by keyset and by offset, of every size, join to the whole.
async fn paged(context: &Context, part: &Arc<Part>, table: &Table, random: &mut Random, query: &SubQuery) -> Outcome {
    let whole = table.select(part, query);
    let size = *random.pick(&[1, 2, 7, 30, 99, 100, 101]);
    let size = if whole.len() > 40 { size.max(7) } else { size };
    let mut found = Vec::new();
    loop {
        // The next page goes on after the last row of the one before.
        let after = found.last().map(|last: &super::Found| {
            let row = &table.rows[&last.row.id];
            Position { keys: query.order.iter().map(|key| row.key(key)).collect(), id: Id::from(last.row.id.as_str()) }
        });
        let page = SubQuery { after, limit: Some(size), ..query.clone() };
        compare(context, part, table, &page).await?;
        let rows = select(context, part, &page).await?;
        let last = rows.len() < size;
        found.extend(rows);
        if last || found.len() > whole.len() {
            break;
        }
    }
    compare_rows(part, &query.columns, &whole, &found)?;
    for _ in 0..3 {
        let part_of = SubQuery { limit: Some(random.below(whole.len() + 3)), offset: random.below(whole.len() + 3), ..query.clone() };
        compare(context, part, table, &part_of).await?;
    }
    // A position need not be that of a row that still exists.
    if let Some(row) = whole.get(random.below(whole.len())) {
        let gone = Row { id: format!("{} gone", row.id), ..(*row).clone() };
        let after = Some(Position { keys: query.order.iter().map(|key| gone.key(key)).collect(), id: Id::from(gone.id.as_str()) });
        compare(context, part, table, &SubQuery { after, ..query.clone() }).await?;
    }
    compare(context, part, table, &SubQuery { limit: Some(0), ..query.clone() }).await
}
