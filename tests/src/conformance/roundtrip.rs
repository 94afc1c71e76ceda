//! What is written comes back.

use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::types::{Id, LogicalType, Value};

use super::context::{Context, Outcome};
use super::select::{compare, compare_rows, rows_of};
use crate::check;
use crate::data::{self, specs_of};
use crate::reference::{Row, Table};

/// Every type of the class in every placement, through a write and through fetch and query.
pub async fn values(context: &Context, class: &str) -> Outcome {
    let specs = specs_of(context.setup.kind, Some(class));
    let part = context.part("values", &specs).await?;
    let mut table = Table::default();
    let mut random = context.random();
    for round in 0..3 {
        let ids: Vec<Id> = (0..60).map(|number| data::id(&mut random, round * 60 + number)).collect();
        let mode = if round == 0 { WriteMode::Insert } else { WriteMode::Upsert };
        let mut batch = context.batch(&mut random, &part, mode, 1 + round as i64, ids);
        if round == 2 {
            // The longest text there may be, in one row.
            for (at, column) in part.columns.iter().enumerate() {
                if let LogicalType::Text { max } = column.logical {
                    batch.values[at] = Value::Text(
                        "\u{1f600}\u{e9}x'".chars().cycle().take((max as usize).min(context.setup.manners.longest_text)).collect(),
                    );
                }
            }
        }
        context.write(&part, &mut table, batch).await?;
    }
    let columns: Vec<usize> = (0..part.columns.len()).collect();
    let query = SubQuery { columns: columns.clone(), ..SubQuery::default() };
    compare(context, &part, &table, &query).await?;
    let rows: Vec<&Row> = table.rows.values().collect();
    for chunk in rows.chunks(context.driver().description().max_ids.clamp(1, 50)) {
        let ids: Vec<Id> = chunk.iter().map(|row| Id::from(row.id.as_str())).collect();
        let page = context.driver().fetch(&part, &ids, &columns).await?;
        compare_rows(&part, &columns, chunk, &rows_of(&part, &columns, page))?;
    }
    if context.setup.manners.negative_zero {
        let found = super::select(context, &part, &query).await?;
        for (row, found) in table.rows.values().zip(found) {
            for (wrote, read) in row.values.iter().zip(&found.row.values) {
                if let (Value::Float(wrote), Value::Float(read)) = (wrote, read) {
                    check!(wrote.to_bits() == read.to_bits(), "a float came back with other bits: {wrote:?} as {read:?}");
                }
            }
        }
    }
    Ok(())
}
