//! What Postgres keeps, and what it cannot.

use heavenbase::ErrorKind;
use heavenbase::backends::{Connect, Postgres};
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::filter::{Condition, Test};
use heavenbase::schema::ExistingTable;
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;
use sqlx::AssertSqlSafe;

use super::common::{SHORT, address, all, batch, part, pool, text, unique};

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_cannot_keep_is_refused_and_what_is_long_is_kept() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(address).connect().await.unwrap();
    let specs = [
        Spec::new("note", LogicalType::TEXT, Placement::InlineColumn).indexed(),
        Spec::new("code", LogicalType::TEXT, Placement::InlineColumn).unique(),
        Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex),
        Spec::new("doc", LogicalType::Json, Placement::JsonField),
        Spec::new("tags", LogicalType::List(&SHORT), Placement::InlineColumn).indexed(),
    ];
    let part = part(&driver, "postgres", Spec::entity("limits", &specs));
    driver.ensure(&part).await.unwrap();
    let json = |text: &str| Value::Json(Box::new(serde_json::from_str(text).unwrap()));
    let nothing = || vec![Value::Null; 5];
    for (i, value) in [
        (0, text("a\0b")),
        (2, text("\0")),
        (3, json(r#"{"a": ["\u0000"]}"#)),
        (3, json(r#"{"\u0000": 1}"#)),
        (4, Value::List(Box::from([text("ok"), text("\0")]))),
    ] {
        let mut row = nothing();
        row[i] = value;
        let error = driver.write(&part, batch(WriteMode::Upsert, 1, vec![("ok".into(), nothing()), ("no".into(), row)])).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some(part.columns[i].name)), "{error:?}");
    }
    assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 0);
    let long: String = (0..65_000u32).map(|i| char::from_u32(0x4e00 + i % 20_000).unwrap()).collect();
    let word = "w".repeat(60_000);
    let row = |code: &str| vec![text(&long), text(&format!("{long}{code}")), text(&format!("a {word} z")), Value::Null, Value::Null];
    driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), row("1")), ("b".into(), row("2"))])).await.unwrap();
    let error = driver.write(&part, batch(WriteMode::Upsert, 2, vec![("c".into(), row("1"))])).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("code")), "{error:?}");
    let error = driver.write(&part, batch(WriteMode::Insert, 2, vec![("b".into(), row("3"))])).await.unwrap_err();
    assert_eq!((error.kind(), error.detail("id")), (ErrorKind::AlreadyExists, Some("b")), "{error:?}");
    for condition in [Condition::Matches(format!("Z {word}")), Condition::Phrase(format!("A {word} Z"))] {
        let query = SubQuery { filter: Test::new("body", condition).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 2);
    }
    let query = SubQuery { filter: Test::new("note", Condition::Eq(text(&long))).into(), ..SubQuery::default() };
    assert_eq!(all(&driver, &part, query).await.len(), 2);
    driver.drop_part(&part).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_keeps_its_types_and_compares_by_bytes() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(address).connect().await.unwrap();
    let table = unique("theirs");
    let pool = pool(&driver);
    let texts = [
        format!("CREATE TABLE {table} (key varchar(40) PRIMARY KEY, name varchar(255), n bigint, at timestamptz, day date, real float8)"),
        format!(
            "INSERT INTO {table} VALUES ('a', 'apple', 1, '2026-01-01T00:00:00Z', '2026-01-01', 0.5), ('B', 'Banana', 2, NULL, NULL, NULL)"
        ),
    ];
    for text in texts {
        sqlx::query(AssertSqlSafe(text)).execute(&pool).await.unwrap();
    }
    let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    let specs = [
        inline("name", SHORT),
        inline("n", LogicalType::INT),
        inline("at", LogicalType::Timestamp),
        inline("day", LogicalType::Date),
        inline("real", LogicalType::Float),
    ];
    let mut entity = Spec::entity("theirs", &specs);
    let name: &'static str = Box::leak(table.clone().into_boxed_str());
    entity.existing = Some(ExistingTable { key: "key", ..ExistingTable::at(Box::leak(Box::new([name]))) });
    let part = part(&driver, "postgres", entity);
    driver.ensure(&part).await.unwrap();
    let at: heavenbase::types::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let day: heavenbase::types::Date = "2026-01-01".parse().unwrap();
    let whole = SubQuery { columns: vec![0, 1, 2, 3, 4], ..SubQuery::default() };
    let row = vec![text("apple"), Value::Int(1), Value::Timestamp(at), Value::Date(day), Value::Float(0.5)];
    let page = driver.fetch(&part, &[Id::from("a")], &whole.columns).await.unwrap();
    assert_eq!(page.row(0), row.as_slice());
    for (field, condition, found) in [
        ("name", Condition::Lt(text("a")), "B"),
        ("at", Condition::Ge(Value::Timestamp(at)), "a"),
        ("day", Condition::Eq(Value::Date(day)), "a"),
        ("n", Condition::In(vec![Value::Int(2)]), "B"),
        ("name", Condition::IContains("BAN".into()), "B"),
    ] {
        let query = SubQuery { filter: Test::new(field, condition.clone()).into(), ..whole.clone() };
        assert_eq!(all(&driver, &part, query).await.ids, [Id::from(found)], "{field} {condition:?}");
    }
    driver.write(&part, batch(WriteMode::Upsert, 1, vec![("c".into(), row.clone()), ("a".into(), row.clone())])).await.unwrap();
    assert_eq!(driver.fetch(&part, &[Id::from("c")], &whole.columns).await.unwrap().row(0), row.as_slice());
    assert!(!driver.drop_part(&part).await.unwrap(), "a mapped table is not ours to drop");
    sqlx::query(AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&pool).await.unwrap();
}
