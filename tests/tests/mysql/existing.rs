//! Tables of others.

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::filter::{Condition, Test};
use heavenbase::schema::{ExistingTable, KeyKind};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;

use super::common::{SHORT, all, batch, ids, part, pool, servers, sql, text, unique};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_keeps_its_types_and_compares_by_bytes() {
    for server in servers() {
        let driver = server.open().await;
        let table = unique("theirs");
        let pool = pool(&driver);
        sql(
            &pool,
            format!("CREATE TABLE {table} (`key` VARCHAR(40) PRIMARY KEY, name VARCHAR(255), n BIGINT, at DATETIME(6), day DATE, real_ DOUBLE, code VARCHAR(20) UNIQUE)"),
        )
        .await;
        let values = "('a', 'apple', 1, '2026-01-01 00:00:00', '2026-01-01', 0.5, 'x'), ('B', 'Banana', 2, NULL, NULL, NULL, 'y')";
        sql(&pool, format!("INSERT INTO {table} VALUES {values}")).await;
        let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
        let specs = [
            inline("name", SHORT),
            inline("n", LogicalType::INT),
            inline("at", LogicalType::Timestamp),
            inline("day", LogicalType::Date),
            inline("real_", LogicalType::Float),
        ];
        let mut entity = Spec::entity("theirs", &specs);
        let name: &'static str = Box::leak(table.clone().into_boxed_str());
        entity.existing = Some(ExistingTable { key: "key", ..ExistingTable::at(Box::leak(Box::new([name]))) });
        let part = part(&driver, server.kind, entity);
        driver.ensure(&part).await.unwrap();
        let at: heavenbase::types::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let before: heavenbase::types::Timestamp = "-000400-01-01T00:00:00Z".parse().unwrap();
        let day: heavenbase::types::Date = "2026-01-01".parse().unwrap();
        let whole = SubQuery { columns: vec![0, 1, 2, 3, 4], ..SubQuery::default() };
        let row = vec![text("apple"), Value::Int(1), Value::Timestamp(at), Value::Date(day), Value::Float(0.5)];
        let page = driver.fetch(&part, &[Id::from("a")], &whole.columns).await.unwrap();
        assert_eq!(page.row(0), row.as_slice());
        assert!(driver.fetch_one(&part, &Id::from("A"), &[0]).await.unwrap().is_empty());
        for (field, condition, found) in [
            ("name", Condition::Lt(text("a")), "B"),
            ("at", Condition::Ge(Value::Timestamp(at)), "a"),
            ("at", Condition::Gt(Value::Timestamp(before)), "a"),
            ("day", Condition::Eq(Value::Date(day)), "a"),
            ("day", Condition::In(vec![Value::Date(day), Value::Null]), "a B"),
            ("n", Condition::In(vec![Value::Int(2)]), "B"),
            ("name", Condition::Eq(text("banana")), ""),
            ("name", Condition::IContains("BAN".into()), "B"),
            ("name", Condition::Contains("ban".into()), ""),
        ] {
            let query = SubQuery { filter: Test::new(field, condition.clone()).into(), ..whole.clone() };
            let page = all(&driver, &part, query).await;
            let mut ids = ids(&page);
            ids.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(ids.join(" "), found, "{} {field} {condition:?}", server.kind);
        }
        let ordered = all(&driver, &part, SubQuery { page_rows: 1, ..whole.clone() }).await;
        assert_eq!(ids(&ordered), ["B", "a"], "{}", server.kind);
        driver.write(&part, batch(WriteMode::Upsert, 1, vec![("c".into(), row.clone()), ("a".into(), row.clone())])).await.unwrap();
        assert_eq!(driver.fetch(&part, &[Id::from("c")], &whole.columns).await.unwrap().row(0), row.as_slice());
        let mut early = row.clone();
        early[2] = Value::Timestamp(before);
        let error = driver.write(&part, batch(WriteMode::Upsert, 1, vec![("d".into(), early)])).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("at")), "{error:?}");
        assert!(!driver.drop_part(&part).await.unwrap(), "a mapped table is not ours to drop");
        sql(&pool, format!("DROP TABLE {table}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_others_are_numbers_and_uuids() {
    for server in servers() {
        let driver = server.open().await;
        let pool = pool(&driver);
        let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
        let mapped = |table: &str, kind: KeyKind, specs: &[Spec]| {
            let mut entity = Spec::entity("keyed", specs);
            let path: &'static [&'static str] =
                Box::leak(table.split('.').map(|name| -> &'static str { Box::leak(name.to_owned().into_boxed_str()) }).collect());
            entity.existing = Some(ExistingTable { key: "k", kind, ..ExistingTable::at(path) });
            part(&driver, server.kind, entity)
        };
        let database = server.address.rsplit_once('/').unwrap().1.to_owned();
        let table = unique("numbers");
        sql(&pool, format!("CREATE TABLE {table} (k BIGINT PRIMARY KEY, v VARCHAR(255))")).await;
        let numbers = mapped(&format!("{database}.{table}"), KeyKind::Int, &[inline("v", SHORT)]);
        driver.ensure(&numbers).await.unwrap();
        let rows = ["2", "10", "-3"].map(|id| (id.to_owned(), vec![text(id)]));
        driver.write(&numbers, batch(WriteMode::Upsert, 1, rows.to_vec())).await.unwrap();
        driver.write(&numbers, batch(WriteMode::Upsert, 1, rows.to_vec())).await.unwrap();
        let found = all(&driver, &numbers, SubQuery { columns: vec![0], page_rows: 1, ..SubQuery::default() }).await;
        assert_eq!((ids(&found), found.row(0)), (vec!["-3", "10", "2"], &[text("-3")][..]), "{}", server.kind);
        assert_eq!(ids(&driver.fetch(&numbers, &[Id::from("2"), Id::from("02"), Id::from("-3")], &[]).await.unwrap()), ["2", "-3"]);
        let query = SubQuery { filter: Test::new("object_id", Condition::StartsWith("1".into())).into(), ..SubQuery::default() };
        assert_eq!(ids(&all(&driver, &numbers, query).await), ["10"]);
        let error = driver.write(&numbers, batch(WriteMode::Upsert, 1, vec![("02".into(), vec![Value::Null])])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error:?}");
        let report = driver
            .write(&numbers, batch(WriteMode::Delete, 1, vec![("02".into(), vec![]), ("2".into(), vec![]), ("7".into(), vec![])]))
            .await
            .unwrap();
        assert_eq!((report.missing, report.stale), (vec![0, 2], vec![]));
        // What the catalog says otherwise is refused with what it says.
        for (specs, field) in [
            (vec![inline("w", SHORT)], "w"),
            (vec![inline("v", LogicalType::INT)], "v"),
            (vec![inline("v", SHORT).required()], "v"),
            (vec![inline("v", LogicalType::Text { max: 256 })], "v"),
        ] {
            let error = driver.ensure(&mapped(&table, KeyKind::Int, &specs)).await.unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some(field)), "{error:?}");
        }
        for (path, kind) in [(table.clone(), KeyKind::Uuid), (format!("{table}x"), KeyKind::Int), (format!("a.b.{table}"), KeyKind::Int)] {
            let error = driver.ensure(&mapped(&path, kind, &[])).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
        }
        sql(&pool, format!("DROP TABLE {table}")).await;
        let table = unique("uuids");
        sql(&pool, format!("CREATE TABLE {table} (k BINARY(16) PRIMARY KEY, n INT NOT NULL)")).await;
        let uuids = mapped(&table, KeyKind::Uuid, &[inline("n", LogicalType::Int { min: 0, max: 100 }).required()]);
        driver.ensure(&uuids).await.unwrap();
        let names = ["ffffffff-0000-4000-8000-000000000001", "01234567-89ab-cdef-0123-456789abcdef"];
        driver.write(&uuids, batch(WriteMode::Insert, 1, names.map(|id| (id.to_owned(), vec![Value::Int(5)])).to_vec())).await.unwrap();
        assert_eq!(ids(&all(&driver, &uuids, SubQuery { page_rows: 1, ..SubQuery::default() }).await), [names[1], names[0]]);
        let query = SubQuery { filter: Test::new("object_id", Condition::Contains("ab-cdef".into())).into(), ..SubQuery::default() };
        assert_eq!(ids(&all(&driver, &uuids, query).await), [names[1]]);
        let query =
            SubQuery { filter: Test::new("object_id", Condition::In(vec![text(names[0]), text("x")])).into(), ..SubQuery::default() };
        assert_eq!(ids(&all(&driver, &uuids, query).await), [names[0]]);
        sql(&pool, format!("DROP TABLE {table}")).await;
    }
}
