//! What is Milvus's own: many rows, approximate indexes under filters, hostile values, evolution, writes cut short. Run on every server that is named in the environment.
#![cfg(feature = "milvus")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use heavenbase::ErrorKind;
use heavenbase::backends::milvus::{Consistency, MilvusDriver};
use heavenbase::backends::{Connect, Milvus};
use heavenbase::capability::Placement;
use heavenbase::driver::{Aggregate, AggregateFunction, Driver, Group, Measure, NearQuery, Position, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{BackendOption, Binding, Column, EntitySchema, Index, Part, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase_tests::data::Spec;
use heavenbase_tests::random::Random;
use heavenbase_tests::store::{collect, int, lay_out, namespace, nearest_ids, number, random_vector, upsert, vector, with_index};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The servers to run on: name and address.
fn servers() -> Vec<(&'static str, String)> {
    let named = |variable: &'static str| match std::env::var(variable) {
        Ok(address) => Some((variable, address)),
        Err(_) => {
            eprintln!("not run: {variable} is not set");
            None
        }
    };
    ["HEAVENBASE_TEST_MILVUS", "HEAVENBASE_TEST_MILVUS_LITE"].into_iter().filter_map(named).collect()
}

#[tokio::test]
async fn a_timeout_without_end_is_no_panic() -> Outcome {
    let nobody = heavenbase_tests::peer::nobody()?;
    let error = Milvus::url(nobody).timeout(Duration::MAX).retries(1).connect().await.err().ok_or("somebody")?;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    for (server, address) in servers() {
        let driver = Milvus::url(address).timeout(Duration::MAX).connect().await?;
        let part = Arc::new(lay_out(&driver, "milvus", &namespace(), &[number("number")])?);
        assert!(driver.ensure(&part).await?.created, "{server}");
        driver.drop_part(&part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_rows_come_back_as_thirty_thousand() -> Outcome {
    const ROWS: usize = 30_000;
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        let part = Arc::new(lay_out(&driver, "milvus", &namespace(), &[number("number"), vector("near", 16, Metric::L2)])?);
        driver.ensure(&part).await?;
        let mut random = Random::new(7);
        let mut rows: Vec<(Id, Vec<Value>)> = (0..ROWS)
            .map(|n| (Id::from(format!("row {n}")), vec![Value::Int(n as i64), Value::Vector(random_vector(&mut random, 16))]))
            .collect();
        random.shuffle(&mut rows);
        let start = Instant::now();
        for chunk in rows.chunks(driver.description().max_batch) {
            driver.write(&part, upsert(1, chunk.to_vec(), 2)).await?;
        }
        let written = start.elapsed();
        rows.sort_by(|a, b| a.0.cmp(&b.0));

        let start = Instant::now();
        let found = collect(&driver, &part, SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await?;
        let read = start.elapsed();
        assert!(found.ids.iter().eq(rows.iter().map(|row| &row.0)), "{server}: {} rows, or out of order", found.len());
        assert!((0..ROWS).all(|i| found.row(i) == rows[i].1), "{server}: values differ");

        // Past the window of offset and limit.
        let page = collect(&driver, &part, SubQuery { offset: 20_000, limit: Some(3), ..SubQuery::default() }).await?;
        assert!(page.ids.iter().eq(rows[20_000..20_003].iter().map(|row| &row.0)), "{server}: {:?}", page.ids);
        let after = Some(Position { keys: Vec::new(), id: rows[29_000].0.clone() });
        let page = collect(&driver, &part, SubQuery { after, ..SubQuery::default() }).await?;
        assert_eq!(page.len(), 999, "{server}");

        let below: Filter = Test::new("number", Condition::Lt(Value::Int(25_000))).into();
        let counted = Aggregate {
            filter: below.clone(),
            ids: None,
            keys: Vec::new(),
            measures: vec![Measure { function: AggregateFunction::Count, column: None }],
        };
        assert!(driver.plans_aggregate(&part, &counted));
        let count = driver.aggregate(&part, &counted).await?;
        assert_eq!(count, vec![Group { keys: Vec::new(), measures: vec![Value::Int(25_000)] }], "{server}");

        // Ten searches, each against the plain comparison of all rows; then more than the server gives at once.
        let start = Instant::now();
        for round in 0..10 {
            let target = random_vector(&mut random, 16);
            let k = if round == 9 { 10_000 } else { 10 };
            let near = NearQuery { column: 1, vector: target.clone(), metric: Metric::L2, k, exact: true };
            let found = collect(&driver, &part, SubQuery { filter: below.clone(), near: Some(near), ..SubQuery::default() }).await?;
            assert_eq!(found.ids, nearest_ids(&rows, 1, &target, Metric::L2, k, |row| int(row) < 25_000), "{server}, k {k}");
        }
        eprintln!("{server}: {ROWS} rows written in {written:?}, read in {read:?}, 10 exact searches in {:?}", start.elapsed());
        driver.drop_part(&part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approximate_index_under_a_filter_gives_all_there_are() -> Outcome {
    const ROWS: usize = 3_000;
    let indexes: [(&str, &'static [(&str, i64)]); 2] =
        [("hnsw", &[("m", 8), ("ef_construction", 40)]), ("ivf_flat", &[("nlist", 64), ("nprobe", 2)])];
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        for (method, parameters) in indexes {
            for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
                let part = lay_out(&driver, "milvus", &namespace(), &[number("number"), vector("near", 12, metric)])?;
                let part = with_index(part, "near", Index { method, parameters });
                driver.ensure(&part).await?;
                let mut random = Random::new(11);
                let rows: Vec<(Id, Vec<Value>)> = (0..ROWS)
                    .map(|n| (Id::from(format!("{n:05}")), vec![Value::Int(n as i64), Value::Vector(random_vector(&mut random, 12))]))
                    .collect();
                for chunk in rows.chunks(1_000) {
                    driver.write(&part, upsert(1, chunk.to_vec(), 2)).await?;
                }
                // The index is built over what is sealed alone, in the background.
                let own = driver.as_any().downcast_ref::<MilvusDriver>().ok_or("another driver")?;
                own.flush(&part).await?;
                tokio::time::sleep(Duration::from_secs(3)).await;
                for (matches, k) in
                    [(0, 5), (1, 5), (7, 5), (7, 50), (40, 39), (40, 40), (40, 41), (200, 10), (ROWS, 10), (ROWS, ROWS), (ROWS, 5_000)]
                {
                    for exact in [false, true] {
                        let target = random_vector(&mut random, 12);
                        let near = NearQuery { column: 1, vector: target.clone(), metric, k, exact };
                        // Spread over the rows, so that a walk through the graph meets few of them.
                        let wanted = (0..matches).map(|i| Value::Int((i * (ROWS / matches.max(1))) as i64)).collect::<Vec<_>>();
                        let chosen: Vec<i64> = wanted.iter().filter_map(|v| if let Value::Int(n) = v { Some(*n) } else { None }).collect();
                        let filter: Filter =
                            if matches == ROWS { Filter::all() } else { Test::new("number", Condition::In(wanted)).into() };
                        let found = collect(&driver, &part, SubQuery { filter, near: Some(near), ..SubQuery::default() }).await?;
                        let expected = nearest_ids(&rows, 1, &target, metric, k, |row| matches == ROWS || chosen.contains(&int(row)));
                        assert_eq!(found.len(), expected.len(), "{server}, {method}, {metric}, {matches} matches, k {k}");
                        assert!(found.scores.is_sorted_by(|a, b| a >= b));
                        // Where a filter leaves few rows no index is worth what it loses.
                        if exact || matches < ROWS {
                            assert_eq!(found.ids, expected, "{server}, {method}, {metric}, {matches} matches, k {k}");
                        }
                    }
                }
                driver.drop_part(&part).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_believed_once_it_is_built() -> Outcome {
    const ROWS: usize = 6_000;
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        let part = lay_out(&driver, "milvus", &namespace(), &[number("number"), vector("near", 12, Metric::Cosine)])?;
        let part = with_index(part, "near", Index { method: "hnsw", parameters: &[] });
        driver.ensure(&part).await?;
        let own = driver.as_any().downcast_ref::<MilvusDriver>().ok_or("another driver")?;
        let mut random = Random::new(12);
        let rows: Vec<(Id, Vec<Value>)> = (0..ROWS)
            .map(|n| (Id::from(format!("{n:05}")), vec![Value::Int(n as i64), Value::Vector(random_vector(&mut random, 12))]))
            .collect();
        for chunk in rows.chunks(1_000) {
            driver.write(&part, upsert(1, chunk.to_vec(), 2)).await?;
        }
        assert!(!own.is_indexed(&part, "near").await, "{server}: nothing is sealed yet");
        assert!(!own.is_indexed(&part, "number").await && !own.is_indexed(&part, "nothing").await);
        own.flush(&part).await?;
        let start = Instant::now();
        while !driver.description().engine.contains("lite") && !own.is_indexed(&part, "near").await {
            assert!(start.elapsed() < Duration::from_secs(900), "{server}: the index is not built after fifteen minutes");
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        eprintln!("{server}: the index was built after {:?}", start.elapsed());
        let mut found_of_nearest = 0;
        for _ in 0..50 {
            let target = random_vector(&mut random, 12);
            let near = NearQuery { column: 1, vector: target.clone(), metric: Metric::Cosine, k: 10, exact: false };
            let filter: Filter = Test::new("number", Condition::Ge(Value::Int(ROWS as i64 / 2))).into();
            let found = collect(&driver, &part, SubQuery { filter, near: Some(near), ..SubQuery::default() }).await?;
            let nearest = nearest_ids(&rows, 1, &target, Metric::Cosine, 10, |row| int(row) >= ROWS as i64 / 2);
            found_of_nearest += found.ids.iter().filter(|id| nearest.contains(id)).count();
        }
        assert!(found_of_nearest >= 475, "{server}: {found_of_nearest} of 500 nearest");
        // What is written from here is in no index for a while.
        driver.write(&part, upsert(2, rows[..500].to_vec(), 2)).await?;
        assert!(!own.is_indexed(&part, "near").await, "{server}: a twelfth of the rows was just written");
        driver.drop_part(&part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_leaves_its_quotes() -> Outcome {
    let hostile = [
        "\" or 1 == 1 or object_id == \"",
        "' or 1 == 1 or object_id == '",
        "\\\" or number > -1 or \\\"",
        "\\",
        "\\\\",
        "a\\",
        "]) or (number in [1, 2",
        "{placeholder} $meta[\"x\"] {{x}}",
        "%_\\%",
        "\u{7f}\u{85}\u{2028}",
        "\u{10ffff}\u{ffff}\u{feff}",
        "object_id",
        "true",
    ];
    let line_ends = ["a\nb", "a\r\nb", "\t", "\n\" or 1 == 1 or \"\n", "nul \0 here"];
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        // Names that are words of the expression language.
        let named = |name: &str| Spec::new(name, LogicalType::TEXT, Placement::InlineColumn);
        let words = ["in", "not", "like", "exists", "true", "and", "json_contains", "array_length", "is", "null", "text_match", "between"];
        let specs: Vec<Spec> = words.iter().map(|name| named(name)).collect();
        let part = Arc::new(lay_out(&driver, "milvus", &namespace(), &specs)?);
        driver.ensure(&part).await?;
        let values: Vec<&str> = hostile.iter().chain(&line_ends).copied().collect();
        let id = |i: usize| if i < hostile.len() && i != 9 { Id::from(hostile[i]) } else { Id::from(format!("plain {i}")) };
        let rows = values.iter().enumerate().map(|(i, text)| (id(i), vec![Value::Text((*text).to_owned()); words.len()]));
        driver.write(&part, upsert(1, rows.collect(), words.len())).await?;
        for (i, text) in values.iter().enumerate() {
            for condition in [Condition::Eq(Value::Text((*text).to_owned())), Condition::In(vec![Value::Text((*text).to_owned())])] {
                let field = words[i % words.len()];
                let query = SubQuery { filter: Test::new(field, condition).into(), columns: vec![0], ..SubQuery::default() };
                let found = collect(&driver, &part, query).await?;
                assert_eq!(found.ids, vec![id(i)], "{server}: `{field}` by {text:?}");
                assert_eq!(found.values, vec![Value::Text((*text).to_owned())], "{server}");
            }
            assert_eq!(driver.fetch_one(&part, &id(i), &[0]).await?.len(), 1, "{server}: {text:?}");
        }
        for i in 0..values.len() {
            let batch = WriteBatch {
                mode: WriteMode::Delete,
                version: 2,
                ids: vec![id(i)],
                columns: Vec::new(),
                values: Vec::new(),
                expected: Vec::new(),
            };
            driver.write(&part, Arc::new(batch)).await?;
            let left = collect(&driver, &part, SubQuery::default()).await?;
            assert_eq!(left.len(), values.len() - i - 1, "{server}: deleting {:?} took others along", id(i));
        }
        driver.drop_part(&part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn new_fields_are_added_and_other_changes_refused() -> Outcome {
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        let space = namespace();
        let long = "x".repeat(70_000);
        let text = Spec::new("text", LogicalType::Text { max: 100_000 }, Placement::InlineColumn);
        let old = [number("number"), text.clone(), vector("near", 4, Metric::Cosine)];
        let part = Arc::new(lay_out(&driver, "milvus", &space, &old)?);
        assert!(driver.ensure(&part).await?.created, "{server}");
        let row = |n: i64| {
            let direction = [1.0, n as f32, 0.0, 0.0];
            (Id::from(format!("{n}")), vec![Value::Int(n), Value::Text(long.clone()), Value::Vector(direction.into())])
        };
        driver.write(&part, upsert(3, (0..20).map(row).collect(), 3)).await?;
        assert!(!driver.ensure(&part).await?.created, "{server}");

        // A field of each kind is new; the order of the others changed.
        let new = [
            vector("another", 3, Metric::Dot),
            vector("near", 4, Metric::Cosine),
            Spec::new("note", LogicalType::TEXT, Placement::InlineColumn),
            Spec::new("stock", LogicalType::INT, Placement::InlineColumn).required().defaulted(|| Value::Int(7)),
            text,
            number("number"),
        ];
        let newer = Arc::new(lay_out(&driver, "milvus", &space, &new)?);
        let ensured = driver.ensure(&newer).await?;
        assert_eq!(ensured.added, ["another", "note", "stock"], "{server}");
        assert!(driver.ensure(&newer).await?.added.is_empty(), "{server}");
        let found = collect(&driver, &newer, SubQuery { columns: vec![0, 2, 3, 4, 5], ..SubQuery::default() }).await?;
        assert_eq!((found.len(), found.versions[0]), (20, 3), "{server}");
        for row in 0..20 {
            let number: i64 = found.ids[row].as_str().parse()?;
            let expected = [Value::Null, Value::Null, Value::Int(7), Value::Text(long.clone()), Value::Int(number)];
            assert!(found.row(row) == expected, "{server}: row {row}");
        }
        let near = |column: usize, vector: Vec<f32>, metric| {
            let near = NearQuery { column, vector: vector.into(), metric, k: 3, exact: true };
            SubQuery { near: Some(near), ..SubQuery::default() }
        };
        let found = collect(&driver, &newer, near(1, vec![1.0, 0.0, 0.0, 0.0], Metric::Cosine)).await?;
        assert_eq!(found.ids, ["0", "1", "2"].map(Id::from), "{server}");
        let found = collect(&driver, &newer, near(0, vec![1.0, 0.0, 0.0], Metric::Dot)).await?;
        assert!(found.is_empty(), "{server}: rows without a vector are found");

        let refused = |specs: &[Spec], space: &Arc<str>| lay_out(&driver, "milvus", space, specs).map(Arc::new);
        let other_type = Spec::new("number", LogicalType::Float, Placement::InlineColumn).required();
        let changed: Vec<Spec> = new.iter().map(|s| if s.name == "number" { other_type.clone() } else { s.clone() }).collect();
        for specs in [&new[..5], &changed] {
            let error = driver.ensure(&refused(specs, &space)?).await.err().ok_or("no error")?;
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{server}: {error}");
        }
        // Another namespace's part under the same name: refused, and not dropped.
        let foreign = Arc::new(Part { table: newer.table.clone(), ..lay_out(&driver, "milvus", &namespace(), &new)? });
        for error in [driver.ensure(&foreign).await.map(drop).err(), driver.drop_part(&foreign).await.map(drop).err()] {
            assert_eq!(error.ok_or("no error")?.kind(), ErrorKind::SchemaMismatch, "{server}");
        }
        assert!(driver.drop_part(&newer).await?, "{server}");
        assert!(!driver.drop_part(&newer).await?, "{server}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_cut_short_is_not_seen_and_is_made_again() -> Outcome {
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        let space = namespace();
        let specs = [number("number"), vector("a", 2, Metric::L2).required(), vector("b", 2, Metric::L2).required()];
        let part = Arc::new(lay_out(&driver, "milvus", &space, &specs)?);
        driver.ensure(&part).await?;
        let place = |x: f32| Value::Vector([x, 0.0].into());
        let row = |n: i64, b: f32| (Id::from(format!("{n}")), vec![Value::Int(n), place(n as f32), place(b)]);
        driver.write(&part, upsert(1, (0..10).map(|n| row(n, n as f32)).collect(), 3)).await?;
        // The second vector's collection alone, as a write leaves it that stops before the first.
        let alone: Vec<Column> = part.columns.iter().filter(|c| c.name != "a").cloned().collect();
        let half = Arc::new(Part { table: format!("{}_hb_vector_b", part.table), columns: alone, ..(*part).clone() });
        let (id, values) = row(9, 0.1);
        driver.write(&half, upsert(2, vec![(id, vec![values[0].clone(), values[2].clone()])], 2)).await?;

        let near = NearQuery { column: 2, vector: [0.0, 0.0].into(), metric: Metric::L2, k: 2, exact: false };
        let query = SubQuery { near: Some(near), columns: vec![2], ..SubQuery::default() };
        let found = collect(&driver, &part, query.clone()).await?;
        assert_eq!(found.ids, ["0", "1"].map(Id::from), "{server}: half a write is seen");
        driver.write(&part, upsert(2, vec![row(9, 0.1)], 3)).await?;
        let found = collect(&driver, &part, query).await?;
        assert_eq!(found.ids, ["0", "9"].map(Id::from), "{server}: the write made again is not seen");
        assert_eq!(found.versions, [1, 2], "{server}");
        driver.drop_part(&part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_can_be_changed_and_a_wrong_one_is_refused() -> Outcome {
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        let part = lay_out(&driver, "milvus", &namespace(), &[number("number"), vector("near", 4, Metric::Cosine)])?;
        driver.ensure(&Arc::new(part.clone())).await?;
        let row = |n: i64| (Id::from(format!("{n}")), vec![Value::Int(n), Value::Vector([1.0, n as f32, 0.0, 0.0].into())]);
        driver.write(&Arc::new(part.clone()), upsert(1, (0..50).map(row).collect(), 2)).await?;
        for (method, parameters) in [("hnsw", &[("m", 8)][..]), ("hnsw", &[("m", 12)]), ("ivf_flat", &[]), ("", &[]), ("flat", &[])] {
            let changed = with_index(part.clone(), "near", Index { method, parameters });
            driver.ensure(&changed).await?;
            let near = NearQuery { column: 1, vector: [1.0, 0.0, 0.0, 0.0].into(), metric: Metric::Cosine, k: 3, exact: true };
            let found = collect(&driver, &changed, SubQuery { near: Some(near), ..SubQuery::default() }).await?;
            assert_eq!(found.ids, ["0", "1", "2"].map(Id::from), "{server}: {method}");
        }
        for (method, parameters) in [("btree", &[][..]), ("hnsw", &[("nlist", 3)]), ("hnsw", &[("m", 0)])] {
            let wrong = with_index(part.clone(), "near", Index { method, parameters });
            let error = driver.ensure(&wrong).await.err().ok_or("no error")?;
            assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{server}: {method}");
        }
        driver.drop_part(&Arc::new(part)).await?;
    }
    Ok(())
}

/// A part whose entity tells Milvus something.
fn told(
    driver: &Arc<dyn Driver>,
    space: &Arc<str>,
    specs: &[Spec],
    options: &'static [(&'static str, &'static str)],
) -> heavenbase::Result<Arc<Part>> {
    let options: Vec<BackendOption> = options.iter().map(|(name, value)| BackendOption { backend: "main", name, value }).collect();
    let entity = EntitySchema { options: Box::leak(options.into_boxed_slice()), ..Spec::entity("thing", specs) };
    let binding = Binding { name: "main", kind: "milvus", driver: driver.clone() };
    Ok(Routing::new(Box::leak(Box::new(entity)), space, "main", &[binding])?.parts[0].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_decided_on_the_last_write_whatever_reads_are_content_with() -> Outcome {
    for (server, address) in servers() {
        let driver = Milvus::url(address).consistency(Consistency::Eventually).connect().await?;
        let part = told(
            &driver,
            &namespace(),
            &[number("first"), number("second"), vector("near", 2, Metric::L2)],
            &[("consistency", "eventually")],
        )?;
        driver.ensure(&part).await?;
        let place = || Value::Vector([1.0, 0.0].into());
        let patch = |version, column, value| {
            let ids = (0..20).map(|n| Id::from(format!("{n:02}"))).collect();
            let batch = WriteBatch {
                mode: WriteMode::Patch,
                version,
                ids,
                columns: vec![column],
                values: vec![Value::Int(value); 20],
                expected: vec![version - 1; 20],
            };
            Arc::new(batch)
        };
        let rows = (0..20).map(|n| (Id::from(format!("{n:02}")), vec![Value::Int(0), Value::Int(0), place()])).collect();
        driver.write(&part, upsert(1, rows, 3)).await?;
        for round in 0..10 {
            for (version, column) in [(2 * round + 2, 0), (2 * round + 3, 1)] {
                let report = driver.write(&part, patch(version, column, round)).await?;
                assert!(report.stale.is_empty() && report.missing.is_empty(), "{server}, version {version}: {report:?}");
            }
        }
        let stale = driver.write(&part, patch(21, 0, 77)).await?;
        assert_eq!(stale.stale.len(), 20, "{server}: the version is there already");
        let start = Instant::now();
        // Reads see it when they do.
        loop {
            let found = collect(&driver, &part, SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await?;
            if found.len() == 20 && found.values.iter().all(|value| *value == Value::Int(9)) && found.versions.iter().all(|v| *v == 21) {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "{server}: {found:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        driver.drop_part(&part).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_spread_by_the_field_that_the_entity_says() -> Outcome {
    for (server, address) in servers() {
        let driver = Milvus::url(address).connect().await?;
        let space = namespace();
        let tenant = Spec::new("tenant", LogicalType::TEXT, Placement::InlineColumn);
        let specs = [number("number"), tenant.clone(), vector("near", 2, Metric::L2), vector("other", 2, Metric::Dot)];
        let spread: &[(&str, &str)] = &[("partition", "tenant"), ("partitions", "8"), ("consistency", "strong")];
        let part = told(&driver, &space, &specs, spread)?;
        // Milvus 2.3 puts upserted rows where it does not look for them.
        if driver.description().engine.starts_with("Milvus 2.3") || driver.description().engine.starts_with("Milvus v2.3") {
            let error = driver.ensure(&part).await.err().ok_or("rows are spread where they get lost")?;
            assert_eq!((error.kind(), error.field()), (ErrorKind::Unsupported, Some("tenant")), "{server}: {error}");
            continue;
        }
        assert!(driver.ensure(&part).await?.created, "{server}");
        assert!(!driver.ensure(&part).await?.created, "{server}");
        let of = |tenant: i64| if tenant == 5 { Value::Null } else { Value::Text(format!("tenant {tenant}")) };
        let place = |n: i64| Value::Vector([n as f32, 0.0].into());
        let row = |n: i64, tenant: i64| (Id::from(format!("{n:03}")), vec![Value::Int(n), of(tenant), place(n), place(n)]);
        driver.write(&part, upsert(1, (0..120).map(|n| row(n, n % 6)).collect(), 4)).await?;
        // Rows that move take nothing along, and leave nothing behind.
        driver.write(&part, upsert(2, (0..60).map(|n| row(n, (n + 1) % 6)).collect(), 4)).await?;
        let tenant_of = |n: i64| if n < 60 { (n + 1) % 6 } else { n % 6 };
        assert_eq!(collect(&driver, &part, SubQuery::default()).await?.len(), 120, "{server}");
        for tenant in 0..6 {
            let filter: Filter = Test::new("tenant", Condition::Eq(of(tenant))).into();
            let found = collect(&driver, &part, SubQuery { filter: filter.clone(), columns: vec![0], ..SubQuery::default() }).await?;
            let expected: Vec<Value> = (0..120).filter(|n| tenant_of(*n) == tenant).map(Value::Int).collect();
            assert_eq!(found.values, expected, "{server}, tenant {tenant}");
            for (column, metric) in [(2, Metric::L2), (3, Metric::Dot)] {
                let near = NearQuery { column, vector: [1.0, 0.0].into(), metric, k: 50, exact: false };
                let found = collect(&driver, &part, SubQuery { filter: filter.clone(), near: Some(near), ..SubQuery::default() }).await?;
                assert_eq!(found.len(), expected.len(), "{server}, tenant {tenant}");
            }
        }
        driver.write(&part, heavenbase_tests::store::delete(3, (0..30).map(|n| Id::from(format!("{n:03}"))).collect())).await?;
        assert_eq!(collect(&driver, &part, SubQuery::default()).await?.len(), 90, "{server}");
        // Spread otherwise it would have to be written anew.
        for other in [&[][..], &[("partition", "number")]] {
            let error = driver.ensure(&told(&driver, &space, &specs, other)?).await.err().ok_or("no error")?;
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{server}: {error}");
            assert!(error.message().contains("spread by `tenant`"), "{error}");
        }
        for wrong in [&[("partition", "near")][..], &[("partition", "nope")], &[("partitions", "8")]] {
            let error = driver.ensure(&told(&driver, &namespace(), &specs, wrong)?).await.err().ok_or("no error")?;
            assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{server}: {wrong:?}");
        }
        for wrong in [&[("partitions", "0")][..], &[("consistency", "weak")], &[("colour", "red")]] {
            let error = told(&driver, &space, &specs, wrong).err().ok_or("no error")?;
            assert_eq!((error.kind(), error.backend()), (ErrorKind::InvalidSchema, Some("main")), "{server}: {wrong:?}");
        }
        driver.drop_part(&part).await?;
    }
    Ok(())
}
