use std::sync::Arc;

use heavenbase::backends::Lance;
use heavenbase::driver::{SubQuery, WriteBatch, WriteMode};
use heavenbase::schema::Index;
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::{self, Manners, specs_of};
use heavenbase_tests::random::Random;
use heavenbase_tests::reference::Table;

use crate::common::{Outcome, Store};

const ROWS: usize = 400;

fn value(random: &mut Random, part: &heavenbase::schema::Part, column: usize) -> Value {
    let column = &part.columns[column];
    if column.nullable && random.chance(20) { Value::Null } else { data::value(random, &column.logical, column.metric, Manners::default()) }
}

/// Every filter means the same with an index as without: over rows that the indexes know, rows replaced and deleted since,
/// rows written since, and rows that were moved by a merge.
#[tokio::test(flavor = "multi_thread")]
async fn filters_mean_the_same_with_indexes() -> Outcome {
    let directory = tempfile::tempdir()?;
    let specs: Vec<_> = specs_of("lance", None).into_iter().filter(|spec| spec.nullable && spec.metric.is_none()).collect();
    let listed = |logical: &LogicalType| match logical {
        LogicalType::List(item) => matches!(item, LogicalType::Text { .. } | LogicalType::Int { .. }),
        LogicalType::Bytes | LogicalType::Json | LogicalType::Vector(_) => false,
        _ => true,
    };
    let plain = Index { method: "", parameters: &[] };
    let indexes: Vec<(&str, Index)> = specs.iter().filter(|s| listed(&s.logical)).map(|s| (s.name.as_str(), plain)).collect();
    let store = Store::open(Lance::dir(directory.path()).index_from(1).upkeep(false), &specs, &indexes).await?;
    let mut random = Random::named(heavenbase_tests::random::seed(), "lance indexes");
    let mut table = Table::default();
    let width = store.part.columns.len();
    let write = async |random: &mut Random, table: &mut Table, mode, version, ids: Vec<Id>| -> Outcome {
        let columns: Vec<usize> = if mode == WriteMode::Delete { Vec::new() } else { (0..width).collect() };
        let values = ids.iter().flat_map(|_| columns.clone()).map(|column| value(random, &store.part, column)).collect();
        let batch = WriteBatch { mode, version, ids, columns, values, expected: Vec::new() };
        let expected = table.write(&store.part, &batch).map_err(|kind| format!("{kind:?}"))?;
        let report = store.driver.write(&store.part, Arc::new(batch)).await?;
        assert_eq!(report, expected);
        Ok(())
    };
    let ids = |range: std::ops::Range<usize>, step: usize| range.step_by(step).map(|n| Id::from(format!("r{n:04}"))).collect::<Vec<Id>>();
    for round in 0..4 {
        match round {
            0 => {
                write(&mut random, &mut table, WriteMode::Insert, 1, ids(0..ROWS, 1)).await?;
                store.lance().maintain(&store.part).await?;
            }
            1 => {
                write(&mut random, &mut table, WriteMode::Upsert, 2, ids(0..ROWS, 3)).await?;
                write(&mut random, &mut table, WriteMode::Delete, 3, ids(0..ROWS, 5)).await?;
            }
            2 => {
                write(&mut random, &mut table, WriteMode::Insert, 4, ids(ROWS..ROWS + 60, 1)).await?;
                for n in 0..30 {
                    write(&mut random, &mut table, WriteMode::Upsert, 5 + n, ids(7 + n as usize..8 + n as usize, 1)).await?;
                }
            }
            _ => store.lance().maintain(&store.part).await?,
        }
        for _ in 0..250 {
            let filter = data::filter(&mut random, &store.part, &table, 2, Manners::default());
            let query = SubQuery { filter, ..SubQuery::default() };
            if !store.driver.plan(&store.part, &query).remainder.is_all() {
                continue;
            }
            let expected: Vec<&str> = table.select(&store.part, &query).into_iter().map(|row| row.id.as_str()).collect();
            let found = store.select(query.clone()).await?;
            assert!(found.ids.iter().map(Id::as_str).eq(expected), "round {round}: {:?} gives {:?}", query.filter, found.ids);
        }
    }
    Ok(())
}
