//! Reading: keys of each kind, names that would break a statement, collations of others, the key's index.

use heavenbase::prelude::*;

use super::engines::{Engine, Theirs, each};

/// Names with quotes, blanks, dots and a semicolon.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table("main", "or.ders \"of'; 2026"), read_only)]
struct Order {
    #[id(column = "order.\"key", as = i64)]
    object_id: Id,
    #[store(name = "the \"cust`omer'; --")]
    customer: String,
    #[store(name = "Total $1 ?")]
    total: f64,
    quantity: Option<i32>,
    open: bool,
    /// The key as the number that it is.
    #[store(name = "order.\"key")]
    number: i64,
}

const ORDERS: &str = r#""main"."or.ders ""of'; 2026""#;

fn order(n: i64) -> Order {
    let customers = ["apple", "Banana", "cherry", "APPLE", "émile", "Zoë"];
    Order {
        object_id: Id::from(n.to_string()),
        customer: customers[n.rem_euclid(6) as usize].into(),
        total: n as f64 / 4.0,
        quantity: (n % 5 != 0).then_some((n % 7) as i32),
        open: n % 2 == 0,
        number: n,
    }
}

/// Keys that sort otherwise as numbers than as text.
fn numbers() -> Vec<i64> {
    (-20..=120).chain([1_000, 999, 10_000, i64::MAX, i64::MIN, 2_026]).collect()
}

async fn create(engine: &Engine) {
    let (column, collate) = if engine.is_sqlite() { ("TEXT COLLATE NOCASE", "INTEGER") } else { ("varchar(80)", "boolean") };
    let float = if engine.is_sqlite() { "REAL" } else { "double precision" };
    let mut text = format!(
        r#"CREATE TABLE {ORDERS} ("ignored" bytea_or_blob, "order.""key" bigint NOT NULL PRIMARY KEY, "the ""cust`omer'; --" {column} NOT NULL,
        "Total $1 ?" {float} NOT NULL, quantity integer, open {collate} NOT NULL);"#
    )
    .replace("bytea_or_blob", if engine.is_sqlite() { "BLOB" } else { "bytea" });
    for n in numbers() {
        let row = order(n);
        let open = if engine.is_sqlite() { i64::from(row.open).to_string() } else { row.open.to_string() };
        let quantity = row.quantity.map_or("NULL".into(), |q| q.to_string());
        text += &format!("\nINSERT INTO {ORDERS} VALUES (NULL, {n}, '{}', {:?}, {quantity}, {open});", row.customer, row.total);
    }
    engine.sql(text.trim_end_matches(';')).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_entity_answers_as_its_rows_do() {
    each(|engine| async move {
        create(&engine).await;
        let before = engine.catalog().await;
        let ws = engine.open().await;
        ws.register::<Order>().await.unwrap();
        assert_eq!(engine.catalog().await, before, "{}: register changed something", engine.name);
        let mut all: Vec<Order> = numbers().into_iter().map(order).collect();
        all.sort_by(|a, b| a.object_id.cmp(&b.object_id));
        assert_eq!(ws.query::<Order>().all().await.unwrap(), all, "{}", engine.name);
        for id in ["7", "-9223372036854775808", "0", "-20"] {
            assert_eq!(ws.get::<Order>(id).await.unwrap(), all.iter().find(|row| row.object_id == id).cloned(), "{}", engine.name);
        }
        for id in ["007", "+7", "7.0", " 7", "7; DROP TABLE x", "seven", "9223372036854775808", "-0"] {
            assert_eq!(ws.get::<Order>(id).await.unwrap(), None, "{}: {id}", engine.name);
            assert!(!ws.exists::<Order>(id).await.unwrap());
        }
        let some = ["5", "nothing", "120", "05", "-3"].map(Id::from);
        let found = ws.get_many::<Order>(&some).await.unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false, true]);
        type Holds = fn(&Order) -> bool;
        let cases: Vec<(Predicate<Order>, Holds)> = vec![
            (Order::OBJECT_ID.eq("12"), |o| o.object_id == "12"),
            (Order::OBJECT_ID.ne("12"), |o| o.object_id != "12"),
            (Order::OBJECT_ID.eq("012"), |_| false),
            (Order::OBJECT_ID.ne("012"), |_| true),
            (Order::OBJECT_ID.in_list(["1", "x", "22", "01"]), |o| ["1", "22"].contains(&&*o.object_id)),
            (Order::OBJECT_ID.not_in(["1", "x", "22"]), |o| !["1", "22"].contains(&&*o.object_id)),
            (Order::OBJECT_ID.lt("2"), |o| &*o.object_id < "2"),
            (Order::OBJECT_ID.ge("-2"), |o| &*o.object_id >= "-2"),
            (Order::OBJECT_ID.between("10", "2x"), |o| ("10".."2x").contains(&&*o.object_id)),
            (Order::CUSTOMER.eq("apple"), |o| o.customer == "apple"),
            (Order::CUSTOMER.ne("apple"), |o| o.customer != "apple"),
            (Order::CUSTOMER.in_list(["APPLE", "zoë"]), |o| o.customer == "APPLE"),
            (Order::CUSTOMER.lt("a"), |o| &*o.customer < "a"),
            (Order::CUSTOMER.starts_with("B"), |o| o.customer.starts_with('B')),
            (Order::CUSTOMER.starts_with("b"), |_| false),
            (Order::CUSTOMER.contains("PP"), |o| o.customer.contains("PP")),
            (Order::CUSTOMER.icontains("PP"), |o| o.customer.to_lowercase().contains("pp")),
            (Order::CUSTOMER.like("_p%"), |o| o.customer.starts_with("ap")),
            (Order::NUMBER.gt(100), |o| o.number > 100),
            (Order::QUANTITY.is_null(), |o| o.quantity.is_none()),
            (Order::QUANTITY.ne(Some(3)), |o| o.quantity != Some(3)),
            (Order::TOTAL.lt(0.5) & Order::OPEN.eq(true), |o| o.total < 0.5 && o.open),
            (Order::OPEN.eq(false) | Order::QUANTITY.gt(4), |o| !o.open || o.quantity.is_some_and(|q| q > 4)),
        ];
        for (predicate, holds) in cases {
            let expected: Vec<Order> = all.iter().filter(|row| holds(row)).cloned().collect();
            let shown = format!("{} {predicate:?}", engine.name);
            assert_eq!(ws.query::<Order>().filter(predicate.clone()).all().await.unwrap(), expected, "{shown}");
            assert_eq!(ws.query::<Order>().filter(predicate).count().await.unwrap(), expected.len() as u64, "{shown}");
        }
        let mut ordered = all.clone();
        ordered.sort_by(|a, b| b.customer.cmp(&a.customer).then(a.object_id.cmp(&b.object_id)));
        let query = ws.query::<Order>().order_by(Order::CUSTOMER.desc()).limit(20);
        assert_eq!(query.all().await.unwrap(), ordered[..20]);
        assert_eq!(query.clone().offset(7).all().await.unwrap(), ordered[7..27]);
        // Page after page, each begun where the one before ended.
        let (mut paged, mut query) = (Vec::new(), query);
        loop {
            let page = query.page().await.unwrap();
            paged.extend(page.rows);
            match page.next {
                Some(next) => query = ws.query::<Order>().order_by(Order::CUSTOMER.desc()).limit(20).page_after(next),
                None => break,
            }
        }
        assert_eq!(paged, ordered, "{}", engine.name);
        let groups =
            ws.query::<Order>().group_by(Order::CUSTOMER, (COUNT, Order::NUMBER.min(), Order::QUANTITY.sum())).all().await.unwrap();
        let mut names: Vec<String> = all.iter().map(|row| row.customer.clone()).collect();
        names.sort();
        names.dedup();
        let of = |name: &String| {
            let rows: Vec<&Order> = all.iter().filter(|row| row.customer == *name).collect();
            let sum = rows.iter().filter_map(|row| row.quantity).map(i64::from).sum();
            (name.clone(), (rows.len() as i64, rows.iter().map(|row| row.number).min(), Some(sum)))
        };
        assert_eq!(groups, names.iter().map(of).collect::<Vec<_>>(), "{}", engine.name);
        let text = ws.query::<Order>().explain().unwrap().to_string();
        assert!(text.contains(ORDERS), "{text}");
    })
    .await;
}

/// The native text of a plan, with the values written in, as the engine itself would run it.
async fn plan_of(engine: &Engine, explained: &str, values: &[&str]) -> String {
    let text = explained.lines().find_map(|line| line.find("SELECT").map(|at| line[at..].to_owned())).unwrap();
    let mut statement = text;
    for (i, value) in values.iter().enumerate() {
        statement = if engine.is_sqlite() { statement.replacen('?', value, 1) } else { statement.replace(&format!("${}", i + 1), value) };
    }
    let explain = if engine.is_sqlite() { "EXPLAIN QUERY PLAN " } else { "EXPLAIN " };
    engine.sql(&format!("{explain}{statement}")).await.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table = "main.many", read_only)]
struct Many {
    #[id(column = "k", as = i64)]
    object_id: Id,
    label: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_read_goes_by_the_keys_index() {
    each(|engine| async move {
        let rows = if engine.is_sqlite() {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, 'label ' || i FROM n"
        } else {
            "SELECT i, 'label ' || i FROM generate_series(1, 20000) i"
        };
        // Not the row's number of SQLite: an index like any other.
        engine
            .sql(&format!(
                "CREATE TABLE main.many (k bigint NOT NULL PRIMARY KEY, label text NOT NULL);\nINSERT INTO main.many {rows};\nANALYZE"
            ))
            .await;
        let ws = engine.open().await;
        ws.register::<Many>().await.unwrap();
        for (predicate, value) in [(Many::OBJECT_ID.eq("17000"), "17000"), (Many::OBJECT_ID.in_list(["17000"]), "17000")] {
            let query = ws.query::<Many>().filter(predicate);
            assert_eq!(query.all().await.unwrap()[0].label, "label 17000");
            let values: &[&str] = if engine.is_sqlite() { &[value] } else { &["17000"] };
            let explained = query.explain().unwrap().to_string();
            let explained = explained.replace("ANY($1)", "ANY(ARRAY[$1])");
            let plan = plan_of(&engine, &explained, values).await;
            assert!(
                plan.contains("Index") || plan.contains("USING COVERING INDEX") || plan.contains("USING INDEX"),
                "{}: {plan}",
                engine.name
            );
        }
        // In the order of the text, page after page, each row once.
        let mut stream = ws.query::<Many>().stream().await.unwrap();
        let (mut last, mut count) = (String::new(), 0);
        while let Some(row) = stream.next().await.unwrap() {
            assert!(*row.object_id > *last, "{} after {last}", row.object_id);
            last = row.object_id.to_string();
            count += 1;
        }
        assert_eq!(count, 20_000);
    })
    .await;
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table = "main.seen", read_only)]
struct Seen {
    #[id(column = "uuid", as = Uuid)]
    object_id: Id,
    label: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_and_a_key_of_uuids() {
    each(|engine| async move {
        let ids: Vec<Uuid> = (0..50u128).map(|n| Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))).collect();
        let kind = if engine.is_sqlite() { "BLOB" } else { "uuid" };
        let mut text =
            format!("CREATE TABLE base (u {kind} PRIMARY KEY, label text);\nCREATE VIEW main.seen AS SELECT u AS uuid, label FROM base;");
        for id in &ids {
            let literal = if engine.is_sqlite() { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
            text += &format!("\nINSERT INTO base VALUES ({literal}, 'label of {id}');");
        }
        engine.sql(text.trim_end_matches(';')).await;
        let ws = engine.open().await;
        ws.register::<Seen>().await.unwrap();
        let mut sorted: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        sorted.sort();
        let found = ws.query::<Seen>().all().await.unwrap();
        assert_eq!(found.iter().map(|row| row.object_id.to_string()).collect::<Vec<_>>(), sorted, "{}", engine.name);
        let one = &sorted[20];
        assert_eq!(ws.get::<Seen>(one.as_str()).await.unwrap().unwrap().label, format!("label of {one}"));
        assert_eq!(ws.get::<Seen>(one.to_uppercase()).await.unwrap(), None);
        assert_eq!(ws.query::<Seen>().filter(Seen::OBJECT_ID.gt(one.as_str())).count().await.unwrap(), 29);
        let prefix = &one[..2];
        let expected = sorted.iter().filter(|id| id.as_str() < prefix).count() as u64;
        assert_eq!(ws.query::<Seen>().filter(Seen::OBJECT_ID.lt(prefix)).count().await.unwrap(), expected);
        // A view does not say that it takes no null: one in a field that is not optional is found when it is read.
        engine.sql("UPDATE base SET label = NULL").await;
        assert_eq!(ws.get::<Seen>(one.as_str()).await.unwrap_err().kind(), heavenbase::ErrorKind::Corrupt);
    })
    .await;
}
