//! Tables that exist already, tables of ours that somebody began to make or to drop, and what is refused.

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{EntitySchema, ExistingTable, KeyKind};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;
use heavenbase_tests::starrocks::Place;
use sqlx::AssertSqlSafe;

use crate::common::{batch, part, part_of};

async fn run(place: &Place, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&place.pool).await.unwrap_or_else(|cause| panic!("{text}: {cause}"));
}

fn existing(table: &'static str, key: &'static str, kind: KeyKind, specs: &[Spec]) -> EntitySchema {
    let path: &'static [&'static str] = Box::leak(Box::new([table]));
    EntitySchema { existing: Some(ExistingTable { path, key, kind }), ..Spec::entity("order", specs) }
}

fn inline(name: &str, logical: LogicalType) -> Spec {
    Spec::new(name, logical, Placement::InlineColumn)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_exists_is_read_and_written() {
    let Some(place) = Place::make().await else { return };
    run(&place, "CREATE TABLE orders (k BIGINT PRIMARY KEY, title VARCHAR(400), at DATETIME(6), day DATE, n INT, other INT DEFAULT 5)")
        .await;
    run(&place, "INSERT INTO orders VALUES (2, 'two', '2026-11-21 06:30:00.5', '2026-11-21', 7, 9), (10, 'ten', NULL, NULL, NULL, 9)")
        .await;
    let driver = place.driver(None).await;
    let specs = [
        inline("title", LogicalType::Text { max: 100 }),
        inline("at", LogicalType::Timestamp),
        inline("day", LogicalType::Date),
        inline("n", LogicalType::Int { min: -5, max: 2_000_000 }),
    ];
    let part = part_of(&driver, existing("orders", "k", KeyKind::Int, &specs));
    driver.ensure(&part).await.unwrap();
    let page = driver.fetch(&part, &["10".into(), "2".into(), "02".into()], &[0, 1, 2, 3]).await.unwrap();
    assert_eq!(page.ids, [Id::from("10"), Id::from("2")]);
    let at = "2026-11-21T06:30:00.5Z".parse().map(Value::Timestamp).unwrap();
    let day = "2026-11-21".parse().map(Value::Date).unwrap();
    assert_eq!(page.row(1), [Value::Text("two".into()), at.clone(), day.clone(), Value::Int(7)]);
    // Ids are texts: 10 comes before 2.
    let all = async |filter: Filter| {
        let mut pages = driver.open(part.clone(), SubQuery { filter, ..SubQuery::default() }.into()).unwrap();
        let mut ids = Vec::new();
        while let Some(page) = pages.next_page().await.unwrap() {
            ids.extend(page.ids.iter().map(|id| id.as_str().to_owned()));
        }
        ids
    };
    assert_eq!(all(Filter::all()).await, ["10", "2"]);
    let test = |field: &'static str, condition| Filter::Test(Test::new(field, condition));
    assert_eq!(all(test("at", Condition::Le(at.clone()))).await, ["2"]);
    assert_eq!(all(test("day", Condition::In(vec![day.clone(), Value::Null]))).await, ["10", "2"]);
    let ancient = heavenbase::types::Date::new(-44, 3, 15).map(Value::Date).unwrap();
    assert_eq!(all(test("day", Condition::Gt(ancient.clone()))).await, ["2"]);
    assert!(all(test("day", Condition::Lt(ancient.clone()))).await.is_empty());

    let rows = |id, title: &str| vec![(id, vec![Value::Text(title.into()), at.clone(), Value::Null, Value::Int(1)])];
    assert_eq!(driver.write(&part, batch(WriteMode::Insert, 0, rows("2", "x"))).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    driver.write(&part, batch(WriteMode::Insert, 0, rows("3", "three"))).await.unwrap();
    driver.write(&part, batch(WriteMode::Upsert, 0, rows("2", "it's two"))).await.unwrap();
    let other: i32 =
        sqlx::query_scalar("SELECT other FROM orders WHERE k = 2 AND title = 'it''s two'").fetch_one(&place.pool).await.unwrap();
    assert_eq!(other, 9, "what is not mapped keeps its value");
    let outside = driver
        .write(&part, batch(WriteMode::Upsert, 0, vec![("4", vec![Value::Null, Value::Null, ancient, Value::Null])]))
        .await
        .unwrap_err();
    assert_eq!((outside.kind(), outside.field()), (ErrorKind::InvalidValue, Some("day")));
    assert_eq!(driver.write(&part, batch(WriteMode::Upsert, 0, rows("07", "x"))).await.unwrap_err().kind(), ErrorKind::InvalidValue);
    let gone = heavenbase::driver::WriteBatch {
        mode: WriteMode::Delete,
        version: 0,
        ids: vec!["3".into(), "99".into(), "x".into()],
        columns: vec![],
        values: vec![],
        expected: vec![],
    };
    assert_eq!(driver.write(&part, gone.into()).await.unwrap().missing, [1, 2]);
    assert_eq!(all(Filter::all()).await, ["10", "2"]);
    assert!(!driver.drop_part(&part).await.unwrap());
    place.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_said() {
    let Some(place) = Place::make().await else { return };
    run(&place, "CREATE TABLE orders (k VARCHAR(700) PRIMARY KEY, c CHAR(5), n INT, f FLOAT, u BIGINT UNSIGNED, l DECIMAL(38, 2), must INT NOT NULL)").await;
    run(&place, "CREATE TABLE repeated (k VARCHAR(700), n INT)").await;
    run(&place, "CREATE VIEW seen AS SELECT k, n FROM repeated").await;
    let driver = place.driver(None).await;
    let asked = async |table, spec: Spec, read_only: bool| {
        let entity = EntitySchema { read_only, ..existing(table, "k", KeyKind::Text, &[spec]) };
        driver.ensure(&part_of(&driver, entity)).await
    };
    let int = || inline("n", LogicalType::Int { min: 0, max: 9 });
    for (table, spec, read_only, said) in [
        ("nobody", int(), true, "is not there"),
        ("orders", inline("x", LogicalType::INT), true, "has no column `x`"),
        ("orders", inline("c", LogicalType::TEXT), true, "cast"),
        ("orders", inline("n", LogicalType::TEXT), true, "field reads"),
        ("orders", inline("u", LogicalType::INT), true, "more than 64 bits"),
        ("orders", inline("l", LogicalType::Decimal { precision: 5, scale: 2 }), true, "28 digits"),
        ("orders", inline("f", LogicalType::Float), false, "does not keep"),
        ("orders", int(), false, "must"),
        ("repeated", int(), false, "view or a foreign table"),
        ("seen", int(), false, "view"),
        ("orders", Spec::new("n", LogicalType::List(&LogicalType::INT), Placement::InlineColumn), true, "single values"),
    ] {
        let error = asked(table, spec, read_only).await.map(drop).expect_err(said);
        assert!(matches!(error.kind(), ErrorKind::SchemaMismatch), "{error:?}");
        assert!(error.to_string().contains(said), "{said}: {error}");
    }
    for (table, spec) in [("orders", int()), ("seen", int()), ("repeated", int()), ("orders", inline("f", LogicalType::Float))] {
        asked(table, spec, true).await.unwrap_or_else(|e| panic!("{table}: {e}"));
    }
    place.clear().await;
}

/// Definitions are no transactions: whoever finds a part half made or half dropped ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_part_half_made_or_half_dropped_is_made_anew() {
    let Some(place) = Place::make().await else { return };
    let driver = place.driver(None).await;
    let part = part(&driver, &[inline("n", LogicalType::INT)]);
    assert!(driver.ensure(&part).await.unwrap().created);
    assert!(!driver.ensure(&part).await.unwrap().created);
    driver.write(&part, batch(WriteMode::Upsert, 1, vec![("a", vec![Value::Int(1)])])).await.unwrap();
    let rows = async || driver.fetch(&part, &["a".into()], &[]).await.unwrap().len();
    for (state, table, kept) in [("making", true, 1), ("making", false, 0), ("dropping", true, 0), ("dropping", false, 0)] {
        run(&place, &format!("UPDATE `_hb_manifest` SET `state` = '{state}'")).await;
        if !table {
            run(&place, &format!("DROP TABLE `{}`", part.table)).await;
        }
        assert!(driver.ensure(&part).await.unwrap().created, "{state}, {table}");
        // Of what was being made somebody else may have ended the making.
        assert_eq!(rows().await, kept, "{state}, {table}");
    }
    run(&place, &format!("DROP TABLE `{}`", part.table)).await;
    assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::SchemaMismatch, "a table that is gone");
    assert!(driver.drop_part(&part).await.unwrap() && !driver.drop_part(&part).await.unwrap());
    run(&place, &format!("CREATE TABLE `{}` (x INT)", part.table)).await;
    assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::SchemaMismatch, "a table of somebody else's");
    place.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_keep_is_refused_before_a_byte_is_written() {
    let Some(place) = Place::make().await else { return };
    let driver = place.driver(None).await;
    let unique = part(&driver, &[inline("n", LogicalType::INT).unique()]);
    assert_eq!(driver.ensure(&unique).await.unwrap_err().kind(), ErrorKind::InvalidSchema);
    let part = part(&driver, &[inline("b", LogicalType::Bytes), inline("t", LogicalType::Text { max: u32::MAX })]);
    driver.ensure(&part).await.unwrap();
    let bytes = |length: usize| Value::Bytes(vec![7; length].into());
    driver.write(&part, batch(WriteMode::Upsert, 1, vec![("a", vec![bytes(786_432), Value::Text("é".repeat(524_288))])])).await.unwrap();
    let page = driver.fetch(&part, &["a".into()], &[0, 1]).await.unwrap();
    assert_eq!(page.values, [bytes(786_432), Value::Text("é".repeat(524_288))]);
    for (values, field) in [(vec![bytes(786_433), Value::Null], "b"), (vec![Value::Null, Value::Text("é".repeat(524_289))], "t")] {
        let rows = vec![("b", vec![Value::Null, Value::Null]), ("c", values)];
        let error = driver.write(&part, batch(WriteMode::Upsert, 2, rows)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::LimitExceeded, Some(field)), "{error:?}");
        assert_eq!(driver.fetch(&part, &["b".into()], &[]).await.unwrap().len(), 0);
    }
    place.clear().await;
}
