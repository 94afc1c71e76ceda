//! What the driver reads, against the reference evaluator.

use super::*;
use crate::filter::{Condition, Filter, Program, Segment, Target, Test};

/// The ids that the reference evaluator finds.
fn expected(part: &Part, batch: &WriteBatch, filter: &Filter) -> Vec<String> {
    let width = part.columns.len();
    let position = |name: &str| if name == "object_id" { Some(width) } else { part.column(name).map(|(i, _)| i) };
    let program = Program::new(filter, &position).unwrap();
    let matches = |row: &usize| {
        let mut values = batch.row(*row).to_vec();
        values.push(Value::Text(batch.ids[*row].as_str().to_owned()));
        program.holds_on(&values)
    };
    (0..batch.len()).filter(matches).map(|row| batch.ids[row].to_string()).collect()
}

/// Every condition that means something on a column, with operands among the stored values, near them, and foreign.
fn conditions(column: &Column) -> Vec<(Target, Condition)> {
    let mut operands = samples(&column.logical);
    operands.push(Value::Null);
    operands.push(Value::Int(1));
    operands.push(Value::Float(f64::NAN));
    operands.push(Value::Float(f64::INFINITY));
    operands.push(Value::Decimal(Decimal::from_str("0.050000000000001").unwrap()));
    operands.push(Value::Text("foreign".into()));
    let mut all = Vec::new();
    let mut add = |condition| all.push((Target::Value, condition));
    for a in &operands {
        add(Condition::Eq(a.clone()));
        add(Condition::Ne(a.clone()));
        add(Condition::In(vec![a.clone(), operands[0].clone()]));
        add(Condition::NotIn(vec![a.clone(), operands[0].clone()]));
        add(Condition::In(vec![]));
        add(Condition::NotIn(vec![]));
        add(Condition::IsNull);
        add(Condition::IsSome);
        if !matches!(column.logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_)) {
            add(Condition::Lt(a.clone()));
            add(Condition::Le(a.clone()));
            add(Condition::Gt(a.clone()));
            add(Condition::Ge(a.clone()));
            add(Condition::Between(operands[0].clone(), a.clone()));
        }
    }
    add(Condition::In(samples(&column.logical).into_iter().cycle().take(40).collect()));
    match &column.logical {
        LogicalType::Text { .. } => {
            for text in
                ["", "a", "A", "b", "%", "_", "\\", "'", "\"`;", "\0", "\n", "STRASSE", "straße", "ä", "İ", "\u{10ffff}", "ab%", "quick"]
            {
                let text = text.to_owned();
                add(Condition::Contains(text.clone()));
                add(Condition::StartsWith(text.clone()));
                add(Condition::EndsWith(text.clone()));
                add(Condition::IContains(text));
            }
            for pattern in ["%", "", "a%", "A_", "%\\%%", "%\\_%", "%\\", "%line%break%", "_____byte", "%ß%", "%straSSe%", "i%"] {
                add(Condition::Like(pattern.to_owned()));
                add(Condition::ILike(pattern.to_owned()));
            }
            for pattern in ["^a", "b+$", "(?i)STRASSE", "\\d+\\.\\d+", "\\x00"] {
                add(Condition::Regex(pattern.to_owned()));
            }
            if column.placement == Placement::InvertedIndex {
                for query in [
                    "",
                    "!?",
                    "the",
                    "THE quick",
                    "quick the",
                    "can't",
                    "can",
                    "3.14",
                    "straße",
                    "ÄÖÜ",
                    "under_score",
                    "a b",
                    "stop absent",
                ] {
                    add(Condition::Matches(query.to_owned()));
                    add(Condition::Phrase(query.to_owned()));
                }
            }
        }
        LogicalType::List(_) => {
            let lists = [vec![], vec!["a"], vec!["b", "a"], vec!["nul\0"], vec!["quote'\""], vec!["absent", "a"], vec![""]];
            let mut wanted: Vec<Vec<Value>> = lists.iter().map(|l| l.iter().map(|t| Value::Text((*t).to_owned())).collect()).collect();
            wanted.extend([
                vec![Value::Float(0.0)],
                vec![Value::Float(1.5), Value::Float(-0.0)],
                vec![Value::Float(f64::NAN)],
                vec![Value::Int(1)],
            ]);
            for items in wanted {
                add(Condition::HasAny(items.clone()));
                add(Condition::HasAll(items.clone()));
                if let Some(first) = items.first() {
                    add(Condition::Has(first.clone()));
                }
            }
            for n in [0, 1, 3] {
                for condition in [
                    Condition::Eq(Value::Int(n)),
                    Condition::Ne(Value::Int(n)),
                    Condition::Lt(Value::Int(n)),
                    Condition::Ge(Value::Int(n)),
                    Condition::In(vec![Value::Int(n), Value::Null]),
                    Condition::IsNull,
                ] {
                    all.push((Target::Length, condition));
                }
            }
        }
        LogicalType::Json => {
            let paths: [Vec<Segment>; 6] = [
                vec!["a".into()],
                vec!["b".into(), "c".into()],
                vec!["a".into(), 0.into()],
                vec!["a".into(), 1.into(), "c".into()],
                vec!["a'\"b".into()],
                vec![],
            ];
            for path in paths {
                for operand in ["1", "1.0", "\"1\"", "true", "\"x%\"", "2"].map(json) {
                    for condition in [
                        Condition::Eq(operand.clone()),
                        Condition::Ne(operand.clone()),
                        Condition::Lt(operand.clone()),
                        Condition::Ge(operand.clone()),
                        Condition::In(vec![operand.clone(), Value::Null]),
                    ] {
                        all.push((Target::Path(path.clone()), condition));
                    }
                }
                for condition in [Condition::IsNull, Condition::IsSome, Condition::Contains("x".into()), Condition::Like("x\\%".into())] {
                    all.push((Target::Path(path.clone()), condition));
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn every_condition_and_its_complement_agree_with_the_reference() {
    let (driver, part) = (memory(), every_type());
    now(driver.ensure(&part)).unwrap();
    let batch = rows_of(&part);
    now(driver.write(&part, Arc::new(batch.clone()))).unwrap();
    let mut run = 0;
    let mut check = |filter: Filter| {
        let found = ids(&driver, &part, SubQuery { filter: filter.clone(), ..SubQuery::default() });
        assert_eq!(found, expected(&part, &batch, &filter), "{filter:?}");
        run += 1;
    };
    let mut tests = Vec::new();
    for column in &part.columns {
        for (target, condition) in conditions(column) {
            tests.push(Filter::Test(Test { target, ..Test::new(column.name, condition) }));
        }
    }
    for id in ["id-003", "", "ID-003", "zz"] {
        tests.push(Test::new("object_id", Condition::Ge(Value::Text(id.into()))).into());
        tests.push(Test::new("object_id", Condition::Ne(Value::Text(id.into()))).into());
    }
    for (i, test) in tests.iter().enumerate() {
        check(test.clone());
        check(Filter::Not(Box::new(test.clone())));
        let other = &tests[(i * 7 + 3) % tests.len()];
        check(Filter::Not(Box::new(Filter::And(vec![test.clone(), Filter::Not(Box::new(other.clone()))]))));
        check(Filter::Or(vec![Filter::And(vec![test.clone(), other.clone()]), Filter::none()]));
    }
    assert!(run > 2_000, "{run}");
}

#[test]
fn rows_come_back_as_written_bit_by_bit() {
    let (driver, part) = (memory(), every_type());
    now(driver.ensure(&part)).unwrap();
    let batch = rows_of(&part);
    now(driver.write(&part, Arc::new(batch.clone()))).unwrap();
    let page = now(driver.fetch(&part, &batch.ids, &batch.columns)).unwrap();
    assert_eq!(page.ids, batch.ids);
    assert_eq!(page.values, batch.values);
    let bits =
        |values: &[Value]| values.iter().filter_map(|v| if let Value::Float(n) = v { Some(n.to_bits()) } else { None }).collect::<Vec<_>>();
    assert_eq!(bits(&page.values), bits(&batch.values));
    let one = now(driver.fetch_one(&part, &batch.ids[4], &[4, 1])).unwrap();
    assert_eq!(one.values, [batch.row(4)[4].clone(), batch.row(4)[1].clone()]);
    let absent = now(driver.fetch(&part, &["no".into(), batch.ids[1].clone(), "nor".into(), batch.ids[0].clone()], &[])).unwrap();
    assert_eq!(absent.ids, [batch.ids[1].clone(), batch.ids[0].clone()]);
}

#[test]
fn order_keyset_limit_and_offset_agree_with_a_plain_sort() {
    let (driver, part) = (memory(), every_type());
    now(driver.ensure(&part)).unwrap();
    let batch = rows_of(&part);
    now(driver.write(&part, Arc::new(batch.clone()))).unwrap();
    let sortable =
        |c: &&Column| !matches!(c.logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) | LogicalType::Bytes);
    let keys: Vec<usize> = part.columns.iter().filter(sortable).map(|c| c.field).collect();
    for (i, &first) in keys.iter().enumerate() {
        for flags in 0..4 {
            let second = keys[(i + flags + 1) % keys.len()];
            let order = vec![
                OrderKey { key: SortKey::Column(first), descending: flags & 1 == 1 },
                OrderKey { key: SortKey::Column(second), descending: flags & 2 == 2 },
            ];
            let mut rows: Vec<usize> = (0..batch.len()).collect();
            rows.sort_by(|a, b| {
                order
                    .iter()
                    .fold(std::cmp::Ordering::Equal, |so_far, key| {
                        let SortKey::Column(c) = key.key else { return so_far };
                        so_far.then_with(|| sort_order(&batch.row(*a)[c], &batch.row(*b)[c], key.descending))
                    })
                    .then_with(|| batch.ids[*a].cmp(&batch.ids[*b]))
            });
            let wanted: Vec<String> = rows.iter().map(|r| batch.ids[*r].to_string()).collect();
            let query = SubQuery { order: order.clone(), columns: vec![1], page_rows: 2, ..SubQuery::default() };
            assert_eq!(ids(&driver, &part, query.clone()), wanted, "{order:?}");
            let cut = SubQuery { limit: Some(5), offset: 3, ..query.clone() };
            assert_eq!(ids(&driver, &part, cut), wanted[3..8], "{order:?}");
            let last = rows[6];
            let keys = order.iter().map(|k| if let SortKey::Column(c) = k.key { batch.row(last)[c].clone() } else { Value::Null });
            let after = Position { keys: keys.collect(), id: batch.ids[last].clone() };
            assert_eq!(ids(&driver, &part, SubQuery { after: Some(after), ..query }), wanted[7..], "{order:?}");
        }
    }
    let by_id = SubQuery { order: vec![OrderKey { key: SortKey::Id, descending: true }], page_rows: 3, ..SubQuery::default() };
    let mut backwards: Vec<String> = batch.ids.iter().map(|id| id.to_string()).collect();
    backwards.reverse();
    assert_eq!(ids(&driver, &part, by_id), backwards);
    let some: Arc<[Id]> = vec![Id::from("id-001"), Id::from("id-004"), Id::from("nope")].into();
    assert_eq!(ids(&driver, &part, SubQuery { ids: Some(some), ..SubQuery::default() }), ["id-001", "id-004"]);
    assert!(ids(&driver, &part, SubQuery { ids: Some(Vec::new().into()), ..SubQuery::default() }).is_empty());
}

#[test]
fn near_ranks_exactly_within_the_filter() {
    let (driver, part) = (memory(), every_type());
    now(driver.ensure(&part)).unwrap();
    let batch = rows_of(&part);
    now(driver.write(&part, Arc::new(batch.clone()))).unwrap();
    let (column, _) = part.column("vector").unwrap();
    let filter = Filter::Test(Test::new("int", Condition::Gt(Value::Int(-1))));
    for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
        let vector: Arc<[f32]> = [0.3, 0.4, -0.1].into();
        let near = NearQuery { column, vector: vector.clone(), metric, k: 4, exact: false };
        let page = pages(&driver, &part, SubQuery { near: Some(near), filter: filter.clone(), columns: vec![1], ..SubQuery::default() });
        let matching = expected(&part, &batch, &filter);
        let mut wanted: Vec<(f64, String)> = (0..batch.len())
            .filter(|r| matching.contains(&batch.ids[*r].to_string()))
            .filter_map(|r| Some((metric.score(&vector, batch.row(r)[column].as_vector()?), batch.ids[r].to_string())))
            .collect();
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        wanted.truncate(4);
        assert_eq!(page.ids.iter().map(|i| i.to_string()).collect::<Vec<_>>(), wanted.iter().map(|w| w.1.clone()).collect::<Vec<_>>());
        for (found, wanted) in page.scores.iter().zip(&wanted) {
            assert!((found - wanted.0).abs() < 1e-12);
        }
    }
}

#[test]
fn a_range_of_an_index_gives_every_row_in_id_order_whether_few_or_many() {
    let driver = memory();
    let indexed = Column {
        index: Some(crate::schema::Index { method: "", parameters: &[] }),
        ..column("n", LogicalType::INT, Placement::InlineColumn)
    };
    let part = part_of("ranges", vec![indexed, column("other", LogicalType::INT, Placement::InlineColumn)]);
    now(driver.ensure(&part)).unwrap();
    let count = 10_000_i64;
    let batch = WriteBatch {
        mode: WriteMode::Insert,
        version: 1,
        ids: (0..count).map(|i| Id::from(format!("{:05}", (i * 7_919) % count))).collect(),
        columns: vec![0, 1],
        values: (0..count).flat_map(|i| [Value::Int(i), Value::Int(i % 3)]).collect(),
        expected: vec![],
    };
    now(driver.write(&part, Arc::new(batch.clone()))).unwrap();
    for below in [0, 1, 10, 4_096, 4_097, 9_000] {
        for other in [None, Some(1)] {
            let range = Filter::Test(Test::new("n", Condition::Lt(Value::Int(below))));
            let filter = match other {
                Some(n) => range.and(Test::new("other", Condition::Eq(Value::Int(n))).into()),
                None => range,
            };
            let mut wanted = expected(&part, &batch, &filter);
            wanted.sort();
            let few: Arc<[Id]> =
                batch.ids.iter().filter(|id| id.ends_with('3')).cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect();
            for (ids_only, among) in [(false, None), (true, None), (false, Some(few.clone())), (true, Some(few))] {
                let wanted: Vec<String> = wanted.iter().filter(|id| among.is_none() || id.ends_with('3')).cloned().collect();
                let known = (other.is_none() && ids_only).then_some(below as usize);
                let query = SubQuery { filter: filter.clone(), ids: among, page_rows: 7, ids_only, expected: known, ..SubQuery::default() };
                assert_eq!(ids(&driver, &part, query.clone()), wanted);
                let some = SubQuery { limit: Some(5), offset: 2, ..query.clone() };
                assert_eq!(ids(&driver, &part, some), wanted.iter().skip(2).take(5).cloned().collect::<Vec<_>>());
                let after = Some(Position { keys: Vec::new(), id: Id::from("04000") });
                let rest: Vec<String> = wanted.iter().filter(|id| id.as_str() > "04000").cloned().collect();
                assert_eq!(ids(&driver, &part, SubQuery { after, ..query.clone() }), rest);
                let page = pages(&driver, &part, SubQuery { columns: vec![0], ..query });
                assert!(page.versions.iter().all(|version| *version == 1), "versions are there as soon as a column is wanted");
                let place: std::collections::HashMap<&str, i64> = batch.ids.iter().map(|id| id.as_str()).zip(0..).collect();
                assert!(page.ids.iter().enumerate().all(|(row, id)| page.row(row) == [Value::Int(place[id.as_str()])]));
            }
        }
    }
}
