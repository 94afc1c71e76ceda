use std::sync::Arc;

use heavenbase::ErrorKind;
use heavenbase::driver::{Aggregate, AggregateFunction, Measure, NearQuery, OrderKey, Position, SortKey, SubQuery};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::types::{Id, Metric, Value};

use crate::common::{EVERYTHING, ITEM, KINDS, Store, item, text};

fn numbers(page: &heavenbase::driver::Page) -> Vec<Value> {
    page.values.clone()
}

#[tokio::test]
async fn order_after_limit_and_offset() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        let mut rows: Vec<_> = (0..20).map(|n| item(&format!("{n:02}"), n % 4)).collect();
        rows[3].1[1] = Value::Null;
        store.upsert(1, rows).await;
        for descending in [false, true] {
            let order = vec![OrderKey { key: SortKey::Column(1), descending }];
            let base = SubQuery { columns: vec![1], order, page_rows: 3, ..SubQuery::default() };
            let (all, _) = store.run(base.clone()).await;
            assert_eq!(all.len(), 20);
            assert_eq!((all.ids[19].as_str(), &all.values[19]), ("03", &Value::Null), "nulls last both ways");
            let firsts: Vec<_> = all.ids.iter().take(2).map(Id::as_str).collect();
            assert_eq!(firsts, if descending { ["07", "11"] } else { ["00", "04"] });
            for at in 0..20 {
                let after = Some(Position { keys: vec![all.values[at].clone()], id: all.ids[at].clone() });
                let (rest, _) = store.run(SubQuery { after, offset: 1, limit: Some(4), ..base.clone() }).await;
                let wanted: Vec<_> = all.ids.iter().skip(at + 2).take(4).cloned().collect();
                assert_eq!(rest.ids, wanted);
            }
        }
        let ids: Arc<[Id]> = ["01", "05", "09", "nope"].map(Id::from).into();
        let after = Some(Position { keys: vec![], id: Id::from("01") });
        let (page, _) = store.run(SubQuery { ids: Some(ids), after, limit: Some(1), offset: 1, ..SubQuery::default() }).await;
        assert_eq!(page.ids, [Id::from("09")]);
    }
}

#[tokio::test]
async fn near_gives_the_best_of_the_rows_that_match() {
    // The capability table gives one file a row no search.
    for kind in KINDS.into_iter().filter(|kind| *kind != "file") {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &EVERYTHING).await;
        let rows = (0..30).map(|n| {
            let mut values = vec![Value::Null; 15];
            values[1] = Value::Int(n % 3);
            if n != 6 {
                values[13] = Value::Vector([n as f32 / 2.0, 1.0, 0.0].as_slice().into());
            }
            (format!("{n:02}"), values)
        });
        store.upsert(1, rows.collect()).await;
        let filter = Filter::from(Test::new("number", Condition::Eq(Value::Int(0))));
        let near = NearQuery { column: 13, vector: [1.0, 0.0, 0.0].into(), metric: Metric::Cosine, k: 4, exact: true };
        let query = SubQuery { columns: vec![1], filter, near: Some(near), page_rows: 3, ..SubQuery::default() };
        let plan = store.driver.plan(&store.part, &query);
        assert!(plan.remainder.is_all());
        let (page, error) = store.run(query).await;
        assert!(error.is_none(), "{error:?}");
        assert_eq!(page.ids, ["27", "24", "21", "18"].map(Id::from));
        assert!(page.scores.is_sorted_by(|a, b| a >= b) && page.scores[0] > 0.99 && numbers(&page).len() == 4);
    }
}

#[tokio::test]
async fn aggregates_count_group_and_refuse_overflow() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        let measure = |function, column| Measure { function, column };
        let all = |column| {
            use AggregateFunction::{Avg, Count, CountDistinct, Max, Min, Sum};
            [Count, CountDistinct, Sum, Avg, Min, Max].map(|f| measure(f, column)).to_vec()
        };
        let query = |keys, measures| Aggregate { filter: Filter::all(), ids: None, keys, measures };
        let none = store.driver.aggregate(&store.part, &query(vec![], all(Some(1)))).await.unwrap();
        let nothing = [Value::Int(0), Value::Int(0), Value::Null, Value::Null, Value::Null, Value::Null];
        assert_eq!((none.len(), none[0].measures.as_slice()), (1, nothing.as_slice()));
        assert!(store.driver.aggregate(&store.part, &query(vec![1], all(Some(1)))).await.unwrap().is_empty());

        let mut rows: Vec<_> = (0..9).map(|n| item(&n.to_string(), n % 2)).collect();
        rows[8].1[1] = Value::Null;
        store.upsert(1, rows).await;
        let groups = query(vec![1], vec![measure(AggregateFunction::Count, None), measure(AggregateFunction::Count, Some(1))]);
        assert!(store.driver.plans_aggregate(&store.part, &groups));
        let found = store.driver.aggregate(&store.part, &groups).await.unwrap();
        let flat: Vec<_> = found.iter().map(|g| (g.keys[0].clone(), g.measures.clone())).collect();
        let counts = |a, b| vec![Value::Int(a), Value::Int(b)];
        assert_eq!(flat, [(Value::Int(0), counts(4, 4)), (Value::Int(1), counts(4, 4)), (Value::Null, counts(1, 0))]);
        assert!(!store.driver.plans_aggregate(&store.part, &query(vec![], vec![measure(AggregateFunction::Sum, Some(0))])));

        // Above the range on the way, but not in the end; then above in the end.
        let big = |id: &str, n| (id.to_owned(), vec![text(id), Value::Int(n)]);
        store.upsert(2, vec![big("x1", i64::MAX), big("x2", 5), big("x3", -10)]).await;
        let sum = query(vec![], vec![measure(AggregateFunction::Sum, Some(1))]);
        let found = store.driver.aggregate(&store.part, &sum).await.unwrap();
        assert_eq!(found[0].measures, [Value::Int(i64::MAX - 1)]);
        store.upsert(3, vec![big("x4", 2)]).await;
        let error = store.driver.aggregate(&store.part, &sum).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::LimitExceeded, Some("number")));
    }
}

#[tokio::test]
async fn a_plan_takes_exactly_what_is_native_and_says_where_it_reads() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &EVERYTHING).await;
        store.upsert(1, vec![("a".into(), vec![Value::Null; 15])]).await;
        let native = Filter::from(Test::new("title", Condition::Matches("x".into())));
        // A prefix test means nothing on a truth value: not in the table, so not taken.
        let foreign = Filter::from(Test::new("flag", Condition::StartsWith("x".into())));
        let wanted = SubQuery { filter: native.clone().and(foreign.clone()), limit: Some(1), ..SubQuery::default() };
        let plan = store.driver.plan(&store.part, &wanted);
        assert_eq!((plan.taken, plan.remainder, plan.limit, plan.order), (native, foreign, false, false));
        let directory = directory.path().join(format!("space__everything.{kind}"));
        assert_eq!(plan.text, format!("{kind} scan of 1 rows in {}", directory.display()));
        // A list has no order.
        let order = vec![OrderKey { key: SortKey::Column(12), descending: false }];
        let plan = store.driver.plan(&store.part, &SubQuery { order, limit: Some(1), ..SubQuery::default() });
        assert!(!plan.order && !plan.limit);
    }
}
