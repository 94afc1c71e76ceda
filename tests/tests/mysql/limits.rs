//! What cannot be kept, what is long, what was left half made.

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{Aggregate, AggregateFunction, Measure, OrderKey, SortKey, SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, EntitySchema, Routing};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;

use super::common::{SHORT, all, batch, ids, part, pool, servers, sql, text};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_refused_and_what_is_long_is_kept() {
    for server in servers() {
        let driver = server.open().await;
        let specs = [
            Spec::new("note", LogicalType::TEXT, Placement::InlineColumn).indexed(),
            Spec::new("code", LogicalType::TEXT, Placement::InlineColumn).unique(),
            Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex),
            Spec::new("doc", LogicalType::Json, Placement::JsonField),
            Spec::new("data", LogicalType::Bytes, Placement::InlineColumn),
        ];
        let part = part(&driver, server.kind, Spec::entity("limits", &specs));
        driver.ensure(&part).await.unwrap();
        let nothing = || vec![Value::Null; 5];
        let one = |id: &str, row: Vec<Value>| batch(WriteMode::Upsert, 1, vec![("ok".into(), nothing()), (id.to_owned(), row)]);
        // Deeper than the server's functions look.
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let json = |text: &str| Value::Json(Box::new(serde_json::from_str(text).unwrap()));
        let mut row = nothing();
        row[3] = json(&nested(120));
        let error = driver.write(&part, one("deep", row)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("doc")), "{error:?}");
        // Larger than a packet.
        let mut row = nothing();
        row[4] = Value::Bytes(vec![7; 80_000_000].into());
        let error = driver.write(&part, one("large", row)).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("id")), (ErrorKind::LimitExceeded, Some("large")), "{error:?}");
        assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 0);
        // Larger together than a packet: several statements, one transaction.
        let large = |i: usize| {
            (format!("l{i}"), vec![Value::Null, Value::Null, Value::Null, json(&nested(30)), Value::Bytes(vec![i as u8; 5_000_000].into())])
        };
        driver.write(&part, batch(WriteMode::Insert, 1, (0..16).map(large).collect())).await.unwrap();
        let page = driver.fetch(&part, &[Id::from("l7")], &[3, 4]).await.unwrap();
        assert_eq!(page.row(0), [json(&nested(30)), Value::Bytes(vec![7; 5_000_000].into())]);
        driver.write(&part, batch(WriteMode::Delete, 2, (0..16).map(|i| (format!("l{i}"), vec![])).collect())).await.unwrap();

        let long: String = (0..65_000u32).map(|i| char::from_u32(0x4e00 + i % 20_000).unwrap()).collect();
        let word = "w".repeat(60_000);
        let row = |code: &str| vec![text(&long), text(&format!("{long}{code}")), text(&format!("a {word} z")), Value::Null, Value::Null];
        driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), row("1")), ("b".into(), row("2"))])).await.unwrap();
        let error = driver.write(&part, batch(WriteMode::Upsert, 2, vec![("c".into(), row("1"))])).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("code")), "{error:?}");
        let error = driver.write(&part, batch(WriteMode::Insert, 2, vec![("b".into(), row("3"))])).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("id")), (ErrorKind::AlreadyExists, Some("b")), "{error:?}");
        // Rows of one batch may swap what is unique.
        driver.write(&part, batch(WriteMode::Upsert, 3, vec![("a".into(), row("2")), ("b".into(), row("1"))])).await.unwrap();
        for condition in [Condition::Matches(format!("Z {word}")), Condition::Phrase(format!("A {word} Z"))] {
            let query = SubQuery { filter: Test::new("body", condition).into(), ..SubQuery::default() };
            assert_eq!(all(&driver, &part, query).await.len(), 2);
        }
        let query = SubQuery { filter: Test::new("note", Condition::Eq(text(&long))).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 2);
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_sort_and_group_to_their_end() {
    for server in servers() {
        let driver = server.open().await;
        let longer = LogicalType::Text { max: 200_000 };
        let specs =
            [Spec::new("t", LogicalType::TEXT, Placement::InlineColumn).required(), Spec::new("u", longer, Placement::InlineColumn)];
        let part = part(&driver, server.kind, Spec::entity("sorted", &specs));
        driver.ensure(&part).await.unwrap();
        let prefix = "\u{65e5}".repeat(60_000);
        let rows = (0..8).map(|i| (format!("r{i}"), vec![text(&format!("{prefix}{}", (i * 5) % 8 / 2)), Value::Null])).collect();
        driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
        let order = |column: usize| vec![OrderKey { key: SortKey::Column(column), descending: true }];
        let query = SubQuery { order: order(0), page_rows: 3, ..SubQuery::default() };
        // 0 5 2 7 4 1 6 3 halved is 0 2 1 3 2 0 3 1.
        assert_eq!(ids(&all(&driver, &part, query).await), ["r3", "r6", "r1", "r4", "r2", "r7", "r0", "r5"], "{}", server.kind);
        let count = |function, column| Measure { function, column };
        let measures = vec![count(AggregateFunction::Count, None)];
        let wanted = Aggregate { filter: Filter::all(), ids: None, keys: vec![0], measures };
        let groups = driver.aggregate(&part, &wanted).await.unwrap();
        assert_eq!(groups.len(), 4, "{}", server.kind);
        let distinct = vec![count(AggregateFunction::CountDistinct, Some(0)), count(AggregateFunction::Max, Some(0))];
        let groups = driver.aggregate(&part, &Aggregate { keys: Vec::new(), measures: distinct, ..wanted }).await.unwrap();
        assert_eq!(groups[0].measures, [Value::Int(4), text(&format!("{prefix}3"))], "{}", server.kind);
        // What is longer than the server compares is handed back.
        let plan = driver.plan(&part, &SubQuery { order: order(1), limit: Some(3), ..SubQuery::default() });
        assert!(!plan.order && !plan.limit, "{plan:?}");
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_wide_columns_fit_a_row() {
    for server in servers() {
        let driver = server.open().await;
        let mut specs: Vec<Spec> = (0..150).map(|i| Spec::new(format!("f{i}"), SHORT, Placement::InlineColumn)).collect();
        specs[149].index = true;
        let mut entity = Spec::entity("wide", &specs);
        entity.indexes = &[&["f1", "f2", "f3", "f4", "f5"]];
        entity.uniques = &[&["f6", "f7", "f8", "f9"], &["f10"]];
        let part = part(&driver, server.kind, entity);
        driver.ensure(&part).await.unwrap();
        let row = |i: usize| {
            (
                format!("r{i}"),
                (0..150)
                    .map(|f| text(&"\u{1f600}".repeat(if f < 10 { 255 } else { 60 }).replacen('\u{1f600}', &format!("{i}"), 1)))
                    .collect(),
            )
        };
        driver.write(&part, batch(WriteMode::Insert, 1, (0..3).map(row).collect())).await.unwrap();
        let (_, values): (String, Vec<Value>) = row(1);
        let page = driver.fetch(&part, &[Id::from("r1")], &(0..150).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(page.row(0), values.as_slice());
        let error = driver.write(&part, batch(WriteMode::Insert, 2, vec![("again".into(), values)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UniqueViolation, "{error:?}");
        assert!(!driver.ensure(&part).await.unwrap().created);
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_words_are_counted_and_too_many_tests_left_to_the_planner() {
    for server in servers() {
        let driver = server.open().await;
        let specs =
            [Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex), Spec::new("n", LogicalType::INT, Placement::InlineColumn)];
        let part = part(&driver, server.kind, Spec::entity("words", &specs));
        driver.ensure(&part).await.unwrap();
        let words = |n: usize| (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
        let many = (0..3).map(|i| (format!("r{i}"), vec![text(&words(30 + i * 20)), Value::Int(i as i64)])).collect();
        driver.write(&part, batch(WriteMode::Insert, 1, many)).await.unwrap();
        for condition in [2, 6, 7, 45].into_iter().flat_map(|n| [Condition::Matches(words(n)), Condition::Phrase(words(n))]) {
            let found =
                if matches!(&condition, Condition::Matches(text) | Condition::Phrase(text) if text.ends_with("w44")) { 1 } else { 0 };
            let query = SubQuery { filter: Test::new("body", condition.clone()).into(), ..SubQuery::default() };
            assert!(driver.plan(&part, &query).remainder.is_all());
            assert_eq!(ids(&all(&driver, &part, query).await), ["r0", "r1", "r2"][found..], "{} {condition:?}", server.kind);
        }
        let apart = Condition::Phrase(format!("{} w0", words(8)));
        let query = SubQuery { filter: Test::new("body", apart).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 0);
        let number: Filter = Test::new("n", Condition::Ge(Value::Int(1))).into();
        let one = |i: usize| -> Filter { Test::new("body", Condition::Matches(format!("w{i}"))).into() };
        let fits = Filter::And((0..24).map(one).collect());
        let plan = driver.plan(&part, &SubQuery { filter: fits.clone(), ..SubQuery::default() });
        assert!(plan.remainder.is_all());
        assert_eq!(all(&driver, &part, SubQuery { filter: fits, ..SubQuery::default() }).await.len(), 3);
        let filter = Filter::And((0..25).map(one).chain([number.clone()]).collect());
        let plan = driver.plan(&part, &SubQuery { filter, limit: Some(1), ..SubQuery::default() });
        assert_eq!((plan.taken, plan.limit), (number, false));
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_half_made_is_made_anew() {
    for server in servers() {
        let driver = server.open().await;
        let pool = pool(&driver);
        let specs =
            [Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex), Spec::new("n", LogicalType::INT, Placement::InlineColumn)];
        let part = part(&driver, server.kind, Spec::entity("crashed", &specs));
        driver.ensure(&part).await.unwrap();
        // As it is after the tables were made and before the manifest said so.
        let mark = format!("REPLACE INTO _hb_manifest (physical, manifest) VALUES ('unfinished {}', '{{}}')", part.table);
        let forget = format!("DELETE FROM _hb_manifest WHERE physical = '{}'", part.table);
        sql(&pool, &mark).await;
        sql(&pool, &forget).await;
        assert!(driver.ensure(&part).await.unwrap().created);
        driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), vec![text("one two"), Value::Int(1)])])).await.unwrap();
        // A table without a mark is somebody's.
        sql(&pool, &forget).await;
        assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::SchemaMismatch);
        assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 1);
        sql(&pool, &mark).await;
        assert!(!driver.drop_part(&part).await.unwrap());
        // Columns that came in before the manifest said so are made anew.
        driver.ensure(&part).await.unwrap();
        driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), vec![text("one two"), Value::Int(1)])])).await.unwrap();
        let mut wider = specs.to_vec();
        wider.push(Spec::new("later", LogicalType::Json, Placement::JsonField));
        wider.push(Spec::new("seven", LogicalType::INT, Placement::InlineColumn).required().defaulted(|| Value::Int(7)));
        let entity: &'static EntitySchema = Box::leak(Box::new(Spec::entity("crashed", &wider)));
        let binding = Binding { name: "main", kind: server.kind, driver: driver.clone() };
        let wider = Routing::new(entity, &part.namespace, "main", &[binding]).unwrap().parts[0].clone();
        sql(&pool, format!("ALTER TABLE `{}` ADD COLUMN seven VARCHAR(10)", part.table)).await;
        assert_eq!(driver.ensure(&wider).await.unwrap().added, ["later", "seven"]);
        assert_eq!(driver.fetch(&wider, &[Id::from("a")], &[1, 2, 3]).await.unwrap().row(0), [Value::Int(1), Value::Null, Value::Int(7)]);
        driver.drop_part(&wider).await.unwrap();
    }
}
