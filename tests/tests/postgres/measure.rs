//! Figures.

use std::time::Instant;

use heavenbase::backends::{Connect, Postgres};
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;
use sqlx::AssertSqlSafe;

use super::common::{SHORT, address, all, batch, part, pool, text};

/// Figures, not a test: `cargo test … --test postgres -- --ignored --nocapture measure`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn measure() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(&address).connect().await.unwrap();
    let specs = [
        Spec::new("title", SHORT, Placement::InlineColumn).required(),
        Spec::new("price", LogicalType::Float, Placement::InlineColumn).required().indexed(),
        Spec::new("n", LogicalType::INT, Placement::InlineColumn).required(),
    ];
    let part = part(&driver, "postgres", Spec::entity("measured", &specs));
    driver.ensure(&part).await.unwrap();
    let pool = pool(&driver);
    let table = &part.table;
    let rows = |from: usize, n: usize| {
        let row = |i: usize| (format!("r{i:06}"), vec![text(&format!("title {i}")), Value::Float((i % 1000) as f64), Value::Int(i as i64)]);
        (from..from + n).map(row).collect::<Vec<_>>()
    };
    let start = Instant::now();
    for chunk in 0..6 {
        driver.write(&part, batch(WriteMode::Upsert, 1, rows(chunk * 5000, 5000))).await.unwrap();
    }
    println!("upsert 30,000 new rows in batches of 5,000: {:?}", start.elapsed());
    let start = Instant::now();
    driver.write(&part, batch(WriteMode::Upsert, 2, rows(0, 5000))).await.unwrap();
    println!("upsert 5,000 rows over old ones: {:?}", start.elapsed());
    let raw = format!(
        "INSERT INTO \"{table}\" (object_id, _hb_version, title, price, n) SELECT u.i, 3, u.t, u.p, u.n FROM UNNEST($1::text[], $2::text[], \
         $3::float8[], $4::bigint[]) AS u(i, t, p, n) ON CONFLICT (object_id) DO UPDATE SET _hb_version = excluded._hb_version, title = \
         excluded.title, price = excluded.price, n = excluded.n"
    );
    let (ids, titles): (Vec<String>, Vec<String>) = (0..5000).map(|i| (format!("r{i:06}"), format!("title {i}"))).unzip();
    let (prices, numbers): (Vec<f64>, Vec<i64>) = (0..5000).map(|i| ((i % 1000) as f64, i as i64)).unzip();
    let start = Instant::now();
    let insert = sqlx::query(AssertSqlSafe(raw)).bind(&ids).bind(&titles).bind(&prices).bind(&numbers);
    insert.execute(&pool).await.unwrap();
    println!("  raw sqlx, no guard, no transaction: {:?}", start.elapsed());
    let get = format!("SELECT object_id, _hb_version, title, price, n FROM \"{table}\" WHERE object_id = $1");
    let filter = format!("SELECT object_id, title FROM \"{table}\" WHERE price < $1 AND n < $2 ORDER BY object_id LIMIT 100");
    for round in 0..2 {
        let start = Instant::now();
        for i in 0..1000 {
            assert_eq!(driver.fetch_one(&part, &Id::from(format!("r{i:06}")), &[0, 1, 2]).await.unwrap().len(), 1);
        }
        println!("point get ({round}): {:?}", start.elapsed() / 1000);
        let start = Instant::now();
        for i in 0..1000 {
            let query = sqlx::query(AssertSqlSafe(get.clone())).bind(format!("r{i:06}"));
            assert_eq!(query.fetch_all(&pool).await.unwrap().len(), 1);
        }
        println!("  raw sqlx: {:?}", start.elapsed() / 1000);
        let conditions = [("price", Condition::Lt(Value::Float(10.0))), ("n", Condition::Lt(Value::Int(20_000)))];
        let wanted = Filter::And(conditions.into_iter().map(|(field, condition)| Test::new(field, condition).into()).collect());
        let wanted = SubQuery { filter: wanted, columns: vec![0], limit: Some(100), ..SubQuery::default() };
        let start = Instant::now();
        for _ in 0..200 {
            assert_eq!(all(&driver, &part, wanted.clone()).await.len(), 100);
        }
        println!("filtered, 100 of 200 rows ({round}): {:?}", start.elapsed() / 200);
        let start = Instant::now();
        for _ in 0..200 {
            let query = sqlx::query(AssertSqlSafe(filter.clone())).bind(10.0f64).bind(20_000i64);
            assert_eq!(query.fetch_all(&pool).await.unwrap().len(), 100);
        }
        println!("  raw sqlx: {:?}", start.elapsed() / 200);
    }
    let start = Instant::now();
    for version in 10..110 {
        driver.write(&part, batch(WriteMode::Upsert, version, rows(7, 1))).await.unwrap();
    }
    println!("upsert of one row: {:?}", start.elapsed() / 100);
    driver.drop_part(&part).await.unwrap();
}
