use std::collections::{BTreeMap, BTreeSet};

use heavenbase::driver::{Aggregate, AggregateFunction as F, Group, Measure};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::EntitySchema;
use heavenbase::types::{LogicalType, Value, canonical_key, compare};

use crate::common::{INLINE, Store, field, text};

static SALES: EntitySchema = EntitySchema::new(
    "sales",
    &[
        field("place", LogicalType::TEXT, INLINE),
        field("number", LogicalType::INT, INLINE),
        field("ratio", LogicalType::Float, INLINE),
        field("flag", LogicalType::Bool, INLINE),
        field("price", LogicalType::Decimal { precision: 28, scale: 9 }, INLINE),
    ],
);

fn measure(function: F, column: usize) -> Measure {
    Measure { function, column: Some(column) }
}

fn keyed(groups: Vec<Group>) -> BTreeMap<Vec<u8>, Group> {
    let count = groups.len();
    let key = |group: Group| {
        let mut bytes = Vec::new();
        group.keys.iter().for_each(|k| canonical_key(k, &mut bytes));
        (bytes, group)
    };
    let keyed: BTreeMap<_, _> = groups.into_iter().map(key).collect();
    assert_eq!(keyed.len(), count, "each group once");
    keyed
}

#[tokio::test]
async fn groups_are_whole_and_numbers_exact() {
    let Some(store) = Store::open("groups", &SALES).await else { return };
    let long = "long ".repeat(5_000);
    let rows: Vec<(String, Vec<Value>)> = (0..6_000_i64)
        .map(|n| {
            // More groups than a page holds, a null group, and two long texts that differ at their end.
            let place = match n % 2_500 {
                0 => Value::Null,
                1 => text(format!("{long}a")),
                2 => text(format!("{long}b")),
                3 => text(""),
                m => text(format!("place {m}")),
            };
            let number = if n % 11 == 0 { Value::Null } else { Value::Int(i64::MAX - n % 7) };
            let ratio = if n % 13 == 0 { Value::Null } else { Value::Float(if n % 2 == 0 { -0.0 } else { 0.25 }) };
            let price = Value::Decimal(heavenbase::types::Decimal::new(n % 3 - 1, 9));
            (format!("s{n}"), vec![place, number, ratio, Value::Bool(n % 3 == 0), price])
        })
        .collect();
    for batch in rows.chunks(2_000) {
        store.upsert(1, batch.to_vec()).await;
    }
    let measures = vec![
        Measure { function: F::Count, column: None },
        measure(F::Count, 1),
        measure(F::CountDistinct, 1),
        measure(F::Min, 1),
        measure(F::Max, 1),
        measure(F::Sum, 2),
        measure(F::Avg, 2),
        measure(F::Min, 0),
        measure(F::Max, 0),
        measure(F::Max, 4),
        measure(F::CountDistinct, 0),
    ];
    let filter = Filter::from(Test::new("place", Condition::Ne(text("place 17"))));
    for keys in [vec![], vec![0], vec![3], vec![1, 3], vec![2], vec![4]] {
        let wanted = Aggregate { filter: filter.clone(), ids: None, keys: keys.clone(), measures: measures.clone() };
        assert!(store.driver.plans_aggregate(&store.part, &wanted));
        let found = keyed(store.driver.aggregate(&store.part, &wanted).await.unwrap());
        let mut expected: BTreeMap<Vec<u8>, Vec<&Vec<Value>>> = BTreeMap::new();
        for (_, row) in rows.iter().filter(|(_, row)| row[0] != text("place 17")) {
            let mut key = Vec::new();
            keys.iter().for_each(|k| canonical_key(&row[*k], &mut key));
            expected.entry(key).or_default().push(row);
        }
        assert!(found.keys().eq(expected.keys()), "the groups by {keys:?}");
        for (key, rows) in expected {
            let group = &found[&key];
            let values = |column: usize| rows.iter().map(move |row| &row[column]).filter(|v| !v.is_null());
            let distinct = |column| {
                Value::Int(
                    values(column)
                        .map(|v| {
                            let mut k = Vec::new();
                            canonical_key(v, &mut k);
                            k
                        })
                        .collect::<BTreeSet<_>>()
                        .len() as i64,
                )
            };
            let extreme = |column, greatest: bool| {
                let best = values(column).max_by(|a, b| {
                    let o = compare(a, b).unwrap();
                    if greatest { o } else { o.reverse() }
                });
                best.cloned().unwrap_or_default()
            };
            let count = values(2).count();
            let sum: f64 = values(2).map(|v| if let Value::Float(n) = v { *n } else { 0.0 }).sum();
            let number = |n: f64| if count == 0 { Value::Null } else { Value::Float(n) };
            let wanted = [
                Value::Int(rows.len() as i64),
                Value::Int(values(1).count() as i64),
                distinct(1),
                extreme(1, false),
                extreme(1, true),
                number(sum),
                number(sum / count as f64),
                extreme(0, false),
                extreme(0, true),
                extreme(4, true),
                distinct(0),
            ];
            assert_eq!(group.measures, wanted, "by {keys:?}, group {:?}", group.keys.iter().map(Value::weight).collect::<Vec<_>>());
        }
    }
    // What goes through doubles there is not taken.
    for column in [1, 4] {
        let sum = Aggregate { filter: Filter::all(), ids: None, keys: vec![], measures: vec![measure(F::Sum, column)] };
        assert!(!store.driver.plans_aggregate(&store.part, &sum));
    }
    store.close().await;
}

#[tokio::test]
async fn nothing_counts_as_nothing() {
    let Some(store) = Store::open("nothing", &SALES).await else { return };
    let measures = vec![
        Measure { function: F::Count, column: None },
        measure(F::Count, 1),
        measure(F::CountDistinct, 1),
        measure(F::Max, 1),
        measure(F::Sum, 2),
    ];
    let mut wanted = Aggregate { filter: Filter::all(), ids: None, keys: vec![], measures };
    let found = store.driver.aggregate(&store.part, &wanted).await.unwrap();
    assert_eq!(found[0].measures, [Value::Int(0), Value::Int(0), Value::Int(0), Value::Null, Value::Null]);
    wanted.keys = vec![0];
    assert!(store.driver.aggregate(&store.part, &wanted).await.unwrap().is_empty());
    store.close().await;
}
