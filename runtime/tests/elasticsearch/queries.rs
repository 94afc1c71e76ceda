use heavenbase::driver::{OrderKey, SortKey, SubQuery};
use heavenbase::filter::{Condition, Filter, Target, Test};
use heavenbase::schema::EntitySchema;
use heavenbase::types::{LogicalType, Value, sort_order};

use crate::common::{INLINE, Store, WORDS, field, text};

static TEXTS: EntitySchema =
    EntitySchema::new("texts", &[field("body", LogicalType::TEXT, WORDS), field("short", LogicalType::Text { max: 255 }, INLINE)]);
static NUMBERS: EntitySchema =
    EntitySchema::new("numbers", &[field("n", LogicalType::INT, INLINE), field("x", LogicalType::Float, INLINE)]);

fn test(name: &'static str, condition: Condition) -> Filter {
    Test::new(name, condition).into()
}

fn order(column: usize, descending: bool) -> Vec<OrderKey> {
    vec![OrderKey { key: SortKey::Column(column), descending }]
}

#[tokio::test]
async fn thirty_thousand_rows_come_back_as_thirty_thousand() {
    let Some(store) = Store::open("thirty_thousand_rows", &NUMBERS).await else { return };
    let row = |n: i64| (format!("r{:05}", n * 7_919 % 30_000), vec![Value::Int(n % 100), Value::Null]);
    for batch in (0..30_000).collect::<Vec<i64>>().chunks(5_000) {
        store.upsert(1, batch.iter().map(|n| row(*n)).collect()).await;
    }
    let page_rows = 1_000;
    let all = store.run(SubQuery { columns: vec![0], page_rows, ..SubQuery::default() }).await.unwrap();
    assert_eq!(all.len(), 30_000);
    assert!(all.ids.is_sorted_by(|a, b| a < b), "by id, each once");

    let sorted = store.run(SubQuery { columns: vec![0], order: order(0, true), page_rows, ..SubQuery::default() }).await.unwrap();
    assert_eq!(sorted.len(), 30_000);
    let keys: Vec<(i64, &str)> =
        (0..sorted.len()).map(|r| (if let Value::Int(n) = sorted.row(r)[0] { -n } else { 0 }, sorted.ids[r].as_str())).collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "greatest first, ties by id");

    let far = SubQuery { offset: 29_990, limit: Some(100), order: order(0, false), ..SubQuery::default() };
    assert_eq!(store.run(far).await.unwrap().len(), 10, "an offset beyond the server's result window");
    let far = SubQuery { limit: Some(10_001), page_rows: 10_000, ..SubQuery::default() };
    assert_eq!(store.run(far).await.unwrap().len(), 10_001);
    let many: Vec<Value> = (0..70_000).map(Value::Int).collect();
    let found = store.run(SubQuery { filter: test("n", Condition::In(many)), ..SubQuery::default() }).await.unwrap();
    assert_eq!(found.len(), 30_000, "more members than one terms query takes");
    store.close().await;
}

/// Long texts that differ late, share beginnings, and end as other pieces do.
fn long_texts() -> Vec<(String, Vec<Value>)> {
    let long = |c: &str, n: usize, tail: &str| format!("{}{tail}", c.repeat(n));
    let texts = [
        String::new(),
        "short needle here".into(),
        long("x", 8_000, ""),
        long("x", 8_000, "\u{1}"),
        long("x", 8_000, "needle"),
        long("x", 7_997, "needle"),
        long("x", 16_000, "a"),
        long("x", 16_000, "b"),
        long("x", 16_000, "é"),
        long("x", 15_999, "😀tail"),
        long("😀", 8_000, "needle"),
        long("😀", 20_000, "é"),
        long("ab ", 21_000, "the last word"),
        long("漢", 65_535, ""),
        format!("{}needle{}", "y".repeat(7_798), "z".repeat(9_000)),
        format!("{}needle{}", "y".repeat(40_000), "z".repeat(9_000)),
    ];
    let row = |(n, t): (usize, String)| (format!("t{n:02}"), vec![text(t), Value::Null]);
    let mut rows: Vec<_> = texts.into_iter().enumerate().map(row).collect();
    rows.push(("t99".into(), vec![Value::Null, Value::Null]));
    rows
}

#[tokio::test]
async fn long_text_is_kept_found_and_ordered() {
    let Some(store) = Store::open("long_text", &TEXTS).await else { return };
    let rows = long_texts();
    store.upsert(1, rows.clone()).await;
    for (id, row) in &rows {
        assert_eq!(store.get(id).await.as_ref().map(|(_, row)| row), Some(row), "{id}");
        assert_eq!(store.agrees(&rows, test("body", Condition::Eq(row[0].clone()))).await, 1, "each text equals itself alone");
        store.agrees(&rows, test("body", Condition::Ne(row[0].clone()))).await;
    }
    let members: Vec<Value> = rows.iter().step_by(2).map(|(_, row)| row[0].clone()).collect();
    store.agrees(&rows, test("body", Condition::In(members.clone()))).await;
    store.agrees(&rows, test("body", Condition::NotIn(members))).await;
    for needle in ["needle", "x", "xneedle", "😀needle", "e", "m", "needlez", "\u{1}", "😀", "", &"x".repeat(200), "*", "?"] {
        store.agrees(&rows, test("body", Condition::Contains(needle.into()))).await;
        store.agrees(&rows, test("body", Condition::StartsWith(needle.into()))).await;
        store.agrees(&rows, test("body", Condition::EndsWith(needle.into()))).await;
    }
    assert_eq!(store.agrees(&rows, test("body", Condition::Contains("needle".into()))).await, 6);
    for bound in ["", "x", "y", "xxxx", "😀", &"x".repeat(900)] {
        store.agrees(&rows, test("body", Condition::Gt(text(bound)))).await;
        store.agrees(&rows, test("body", Condition::Le(text(bound)))).await;
    }
    for words in ["ab", "AB last", "the last word", "nowhere", ""] {
        store.agrees(&rows, test("body", Condition::Matches(words.into()))).await;
        store.agrees(&rows, test("body", Condition::Phrase(words.into()))).await;
    }
    // What is too long for the server is handed back, not answered wrongly.
    for condition in [Condition::Contains("x".repeat(201)), Condition::Lt(text("x".repeat(901))), Condition::StartsWith("x".repeat(901))] {
        let plan = store.driver.plan(&store.part, &SubQuery { filter: test("body", condition), limit: Some(1), ..SubQuery::default() });
        assert!(plan.taken.is_all() && !plan.remainder.is_all() && !plan.limit);
    }
    for descending in [false, true] {
        let mut expected: Vec<&(String, Vec<Value>)> = rows.iter().collect();
        expected.sort_by(|a, b| sort_order(&a.1[0], &b.1[0], descending).then_with(|| a.0.cmp(&b.0)));
        let expected: Vec<&str> = expected.iter().map(|(id, _)| id.as_str()).collect();
        for page_rows in [1, 3, 100] {
            let found = store.run(SubQuery { order: order(0, descending), page_rows, ..SubQuery::default() }).await.unwrap();
            assert_eq!(
                found.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
                expected,
                "descending: {descending}, pages of {page_rows}"
            );
        }
    }
    store.close().await;
}

#[tokio::test]
async fn text_of_any_length_is_kept_and_found_and_its_order_is_left_to_the_caller() {
    static HUGE: EntitySchema = EntitySchema::new("huge", &[field("body", LogicalType::Text { max: 1_000_000 }, INLINE)]);
    let Some(store) = Store::open("text_of_any_length", &HUGE).await else { return };
    let row = |id: &str, tail: &str| (id.to_owned(), vec![text(format!("{}{tail}", "0123456789".repeat(30_000)))]);
    let rows = vec![row("a", "needle"), row("b", "x"), ("c".into(), vec![text("needle")])];
    store.upsert(1, rows.clone()).await;
    for (id, row) in &rows {
        assert_eq!(store.get(id).await.as_ref().map(|(_, row)| row), Some(row), "{id}");
        assert_eq!(store.agrees(&rows, test("body", Condition::Eq(row[0].clone()))).await, 1);
    }
    assert_eq!(store.agrees(&rows, test("body", Condition::EndsWith("needle".into()))).await, 2);
    assert_eq!(store.agrees(&rows, test("body", Condition::Contains("9needle".into()))).await, 1);
    let plan = store.driver.plan(&store.part, &SubQuery { order: order(0, false), limit: Some(1), ..SubQuery::default() });
    assert!(!plan.order && !plan.limit && plan.remainder.is_all());
    store.close().await;
}

#[tokio::test]
async fn words_of_any_kind_are_found() {
    let Some(store) = Store::open("words", &TEXTS).await else { return };
    let long_word = "w".repeat(300);
    let texts = [
        "The quick brown fox",
        "quick, the fox!",
        "can't stop",
        "İstanbul ISTANBUL",
        "a\u{a0}b c\u{202f}d",
        "3.14 3,14 3.1.4",
        "naïve naïve",
        "日本語 テキスト",
        long_word.as_str(),
        "",
        "!!!",
        "\u{1c}\u{1d}fox\u{1e}the",
        "#hash hash",
        "the fox the quick",
    ];
    let rows: Vec<_> = texts.iter().enumerate().map(|(n, t)| (format!("w{n:02}"), vec![text(*t), Value::Null])).collect();
    store.upsert(1, rows.clone()).await;
    let parts = [&long_word[..255], &long_word[255..]];
    for sought in texts.iter().chain(&["the", "FOX", "the quick", "fox the", "d", "3.14", "hash", "istanbul", "naive"]).chain(&parts) {
        store.agrees(&rows, test("body", Condition::Matches((*sought).into()))).await;
        store.agrees(&rows, test("body", Condition::Phrase((*sought).into()))).await;
    }
    assert_eq!(store.agrees(&rows, test("body", Condition::Phrase("the quick".into()))).await, 2);
    store.close().await;
}

#[tokio::test]
async fn hostile_text_is_only_text() {
    let Some(store) = Store::open("hostile_text", &TEXTS).await else { return };
    let texts = [
        "\"}]}}",
        "{\"index\":{}}\n{\"a\":1}",
        "*",
        "?",
        "\\",
        "\\*",
        "%",
        "_",
        "'; DROP TABLE x",
        "\u{0}",
        "a\u{0}b",
        "\u{feff}",
        "\u{2028}",
        " ",
        "\n",
        "${jndi}",
        "<script>",
        "..",
        "/",
        "_all",
        "é",
        "e\u{301}",
        "ß",
        "SS",
        "null",
        "true",
        "1",
        "\u{10ffff}",
        "/.*/",
        "a~1",
        "(a|b)",
    ];
    let row = |(n, t): (usize, &&str)| (format!("{t}{n}").replace(char::is_control, "~"), vec![text(*t), text(*t)]);
    let rows: Vec<_> = texts.iter().enumerate().map(row).collect();
    store.upsert(1, rows.clone()).await;
    for (id, row) in &rows {
        assert_eq!(store.get(id).await.as_ref().map(|(_, row)| row), Some(row), "{id:?}");
    }
    for hostile in texts {
        for name in ["body", "short"] {
            for condition in [
                Condition::Eq(text(hostile)),
                Condition::Contains(hostile.into()),
                Condition::StartsWith(hostile.into()),
                Condition::EndsWith(hostile.into()),
                Condition::Ge(text(hostile)),
                Condition::Lt(text(hostile)),
                Condition::In(vec![text(hostile), Value::Null]),
            ] {
                store.agrees(&rows, test(name, condition)).await;
            }
        }
        store.agrees(&rows, test("body", Condition::Matches(hostile.into()))).await;
    }
    let plan =
        store.driver.plan(&store.part, &SubQuery { filter: test("short", Condition::Eq(text("secret value"))), ..SubQuery::default() });
    assert!(!plan.text.contains("secret") && plan.text.contains("f.short"), "explain shows names and no values: {}", plan.text);
    store.close().await;
}

#[tokio::test]
async fn numbers_at_the_edges_keep_their_place() {
    let Some(store) = Store::open("numbers_at_the_edges", &NUMBERS).await else { return };
    let ints = [i64::MIN, i64::MIN + 1, -1, 0, 1, (1 << 53) + 1, 1 << 53, i64::MAX - 1, i64::MAX];
    let floats = [f64::MIN, -1.5, -0.0, 0.0, f64::MIN_POSITIVE, 5e-324, 0.1, 0.30000000000000004, f64::MAX];
    let mut rows: Vec<_> =
        ints.iter().zip(floats).enumerate().map(|(n, (i, f))| (format!("n{n}"), vec![Value::Int(*i), Value::Float(f)])).collect();
    rows.push(("a".into(), vec![Value::Null, Value::Null]));
    rows.push(("z".into(), vec![Value::Null, Value::Null]));
    store.upsert(1, rows.clone()).await;
    let (_, zero) = store.get("n2").await.unwrap();
    assert!(matches!(zero[1], Value::Float(n) if n == 0.0 && n.is_sign_negative()), "-0.0 keeps its sign");
    for (_, row) in &rows {
        for (name, value) in [("n", &row[0]), ("x", &row[1])] {
            for condition in
                [Condition::Eq(value.clone()), Condition::Lt(value.clone()), Condition::Ge(value.clone()), Condition::Ne(value.clone())]
            {
                store.agrees(&rows, test(name, condition)).await;
            }
        }
    }
    for column in [0, 1] {
        for descending in [false, true] {
            let mut expected: Vec<&(String, Vec<Value>)> = rows.iter().collect();
            expected.sort_by(|a, b| sort_order(&a.1[column], &b.1[column], descending).then_with(|| a.0.cmp(&b.0)));
            let expected: Vec<&str> = expected.iter().map(|(id, _)| id.as_str()).collect();
            let found = store.run(SubQuery { order: order(column, descending), page_rows: 1, ..SubQuery::default() }).await.unwrap();
            assert_eq!(found.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), expected, "column {column}, descending: {descending}");
        }
    }
    store.close().await;
}

#[tokio::test]
async fn deep_and_wide_filters_are_answered_or_handed_back() {
    let Some(store) = Store::open("deep_and_wide_filters", &NUMBERS).await else { return };
    let rows: Vec<_> = (0..20).map(|n| (format!("n{n:02}"), vec![Value::Int(n), Value::Null])).collect();
    store.upsert(1, rows.clone()).await;
    for depth in [1, 5, 11, 12, 13, 40] {
        let mut filter = test("n", Condition::Lt(Value::Int(7)));
        for level in 0..depth {
            filter = Filter::Not(Box::new(Filter::And(vec![filter, test("n", Condition::Gt(Value::Int(level)))])));
        }
        let query = SubQuery { filter: filter.clone(), ..SubQuery::default() };
        if store.driver.plan(&store.part, &query).remainder.is_all() {
            store.agrees(&rows, filter).await;
        } else {
            assert!(depth > 5, "handed back at depth {depth}");
        }
    }
    let wide = Filter::Or((0..900).map(|n| test("n", Condition::Eq(Value::Int(n * 3)))).collect());
    assert_eq!(store.agrees(&rows, wide).await, 7);
    let wider = Filter::And((0..2_000).map(|n| test("n", Condition::Ne(Value::Int(n)))).collect());
    let plan = store.driver.plan(&store.part, &SubQuery { filter: wider.clone(), ..SubQuery::default() });
    assert!(plan.taken.is_all() && plan.remainder == wider);
    let length = Filter::from(Test { target: Target::Length, ..Test::new("n", Condition::Eq(Value::Int(1))) });
    assert!(!store.driver.plan(&store.part, &SubQuery { filter: length, ..SubQuery::default() }).remainder.is_all());
    store.close().await;
}
