//! Backends that no test machine has a server of: every statement of the behaviour suite, read by the engine's own parser.
//! Each judge is also given what it must refuse.
#![cfg(feature = "_paper")]
// A test that panics has failed, which is the point; helpers are outside of the tests that clippy allows it to.
#![allow(clippy::expect_used, clippy::print_stdout)]

use heavenbase::backends::paper::Transcript;
use heavenbase::backends::{Connect, InMem};
use heavenbase_tests::judged::{self, Judge};

/// The room itself: a driver that writes nothing has nothing to be judged, and memory answers as it would alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_suite_is_green_where_memory_answers() {
    let paper = InMem::new().connect().await.expect("memory connects");
    let found = judged::suite("inmem", paper, Transcript::new(), 5).await.expect("memory answers");
    assert!(found.statements.is_empty());
    println!("{} cases", found.cases);
}

/// A judge takes these, and none of those.
fn tell_apart(judge: &Judge, good: &[&str], bad: &[&str]) {
    assert_eq!(judge.refused(good).expect("the judge answers"), [], "good statements are refused");
    let refused = judge.refused(bad).expect("the judge answers");
    assert_eq!(refused.len(), bad.len(), "of {bad:?} only these are refused: {refused:?}");
}

/// What came of a suite, in a file beside the test's: the texts.
#[cfg(feature = "_paper")]
fn written<'f>(kind: &str, found: &'f judged::Found) -> Vec<&'f str> {
    let texts: Vec<&str> = found.statements.keys().map(String::as_str).collect();
    let lines: Vec<String> = texts.iter().map(|text| serde_json::Value::String((*text).to_owned()).to_string()).collect();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}.statements"));
    std::fs::write(&file, lines.join("\n") + "\n").expect("the statements are kept");
    let sent: usize = found.statements.values().map(|(_, times)| times).sum();
    println!("{kind}: {} cases sent {sent} statements, {} different ({})", found.cases, texts.len(), file.display());
    assert!(
        found.faults.is_empty(),
        "{} calls failed on paper:\n{}",
        found.faults.len(),
        found.faults[..found.faults.len().min(20)].join("\n")
    );
    assert!(texts.len() > 1_000, "only {} statements", texts.len());
    texts
}

/// What the judge says of texts.
#[cfg(feature = "_paper")]
fn taken(judge: &Judge, texts: &[&str]) {
    let refused = judge.refused(texts).expect("the judge answers");
    assert!(refused.is_empty(), "{} of {} are refused: {:#?}", refused.len(), texts.len(), &refused[..refused.len().min(20)]);
}

/// What came of a suite, and what the judge says of it.
#[cfg(any(feature = "mssql", feature = "oracle"))]
fn judged(judge: &Judge, kind: &str, found: &judged::Found) {
    taken(judge, &written(kind, found));
}

#[cfg(feature = "mssql")]
#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_mssql_is_taken() {
    let transcript = Transcript::new();
    let paper = heavenbase::backends::mssql::on_paper(transcript.clone());
    let found = judged::suite("mssql", paper, transcript, 25).await.expect("memory answers");
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_MSSQL") else { return };
    let most = found.statements.values().map(|(statement, _)| statement.values.len()).max();
    assert!(most.is_some_and(|most| most <= 2_000), "a statement binds {most:?} values");
    judged(&judge, "mssql", &found);
}

#[cfg(feature = "oracle")]
#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_oracle_is_taken() {
    let transcript = Transcript::new();
    let paper = heavenbase::backends::oracle::on_paper(transcript.clone());
    let found = judged::suite("oracle", paper, transcript, 25).await.expect("memory answers");
    for (text, (statement, _)) in &found.statements {
        // The server takes an empty text for null, more than 1,000 members of a list for a mistake, and no long value in an expression.
        let empty = |value: &heavenbase::types::Value| value.as_text() == Some("");
        assert!(!statement.values.iter().any(empty), "an empty text is bound in {text}");
        let longest = text.split(" IN (").skip(1).map(|list| list.split(')').next().unwrap_or_default().matches(", ").count() + 1).max();
        assert!(longest.is_none_or(|longest| longest <= 1_000), "a list of {longest:?} in {text}");
        if !text.starts_with("INSERT INTO ") && !text.starts_with("UPDATE ") {
            let long = |value: &heavenbase::types::Value| value.as_text().is_some_and(|text| text.len() > 4_000);
            assert!(!statement.values.iter().any(long), "a text of more than 4,000 bytes is bound in {text}");
        }
    }
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_ORACLE") else { return };
    judged(&judge, "oracle", &found);
}

#[test]
fn the_judge_of_oracle_tells_good_from_bad() {
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_ORACLE") else { return };
    let good = [
        "SELECT t.\"a b\", 0 FROM \"s\".\"t\" t WHERE t.\"c\" = :1 ORDER BY t.\"c\" ASC NULLS LAST OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY",
        "SELECT t.\"a\" FROM \"t\" t WHERE (t.\"a\" IN (:1, :2)) FOR UPDATE WAIT 30",
        "CREATE TABLE \"t\" (\"a\" VARCHAR2(255 BYTE) NOT NULL PRIMARY KEY, \"b\" VECTOR(3, FLOAT32))",
        "ALTER SESSION SET NLS_COMP = 'BINARY' NLS_SORT = 'BINARY'",
    ];
    let bad = [
        "SELECT a FROM t ORDER BY a LIMIT 5",
        "SELECT `a` FROM t",
        "SELECT [a] FROM t",
        "SELECT \"a FROM t",
        "SELECT a FROM t WHERE b = $1",
        "SELECT a FROM t AS x",
        "SELECT a FROM",
        "SELECT a FROM t OFFSET 5",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "UPDATE t SET a = 1 FROM s",
        "SELECT 1 FROM dual; DROP TABLE t",
        "SELECT 'it's' FROM dual",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1",
    ];
    tell_apart(&judge, &good, &bad);
}

#[cfg(feature = "starrocks")]
#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_starrocks_is_taken() {
    let transcript = Transcript::new();
    let paper = heavenbase::backends::starrocks::on_paper(transcript.clone());
    let mut found = judged::suite("starrocks", paper, transcript, 10).await.expect("memory answers");
    // A part that asks for uniqueness is refused, as it should be.
    found.faults.retain(|fault| !fault.contains("StarRocks decides no uniqueness"));
    let texts = written("starrocks", &found);
    let longest = texts.iter().map(|text| text.len()).max();
    assert!(longest.is_some_and(|longest| longest <= 16 << 20), "a statement has {longest:?} bytes");
    let shapes = judged::one_of_each(texts.iter().copied());
    println!("{} shapes", shapes.len());
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_SQLFLUFF") else { return };
    taken(&judge, &shapes);
}

/// The judge is lax: of what MySQL or others say it takes some that StarRocks does not.
#[cfg(feature = "starrocks")]
#[test]
fn the_judge_of_starrocks_tells_good_from_bad() {
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_SQLFLUFF") else { return };
    let good = [
        "CREATE TABLE `t` (`k` VARCHAR(128) NOT NULL, `v` ARRAY<DOUBLE> NULL, INDEX `i` (`k`) USING BITMAP) PRIMARY KEY (`k`) \
         DISTRIBUTED BY HASH(`k`) BUCKETS 4 PROPERTIES ('replication_num' = '1')",
        "SELECT t.`a` FROM `t` t WHERE t.`x` = 'it''s' AND t.`y` IN (1.5e0, -2e-300) ORDER BY t.`a` IS NULL, t.`a` DESC LIMIT 10 OFFSET 5",
        "SELECT array_sum(array_map((x, y) -> x * y, t.`v`, [1e0, 2e0])) AS `s` FROM `t` t",
        "UPDATE `t` SET `a` = CASE `k` WHEN 'x' THEN 1 END WHERE `k` IN ('x') AND `v` < 7",
        "DELETE FROM `t` WHERE `k` IN ('a') AND `v` < 5",
        "INSERT INTO `t` (`a`, `b`) VALUES (1, 'x\\\\'), (2, NULL)",
    ];
    let bad = [
        "SELECT id FROM t FETCH FIRST 5 ROWS ONLY",
        "SELECT a FROM",
        "CREATE TABLE t (id BIGINT) DISTRIBUTED BY",
        "SELECT 1; DROP TABLE t",
        "SELECT 'it's'",
        "SELECT a FROM t WHERE",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
    ];
    tell_apart(&judge, &good, &bad);
    for lax in ["INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE id=1", "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE"] {
        assert_eq!(judge.refused(&[lax]).expect("the judge answers"), [], "the judge is stricter than is said of it");
    }
}

#[test]
fn the_judge_of_mssql_tells_good_from_bad() {
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_MSSQL") else { return };
    let good = [
        "SELECT [a]]b] FROM [dbo].[t] t WHERE t.[c] = @P1 ORDER BY t.[c] OFFSET @P2 ROWS FETCH NEXT @P3 ROWS ONLY",
        "MERGE INTO [t] WITH (HOLDLOCK) AS d USING (SELECT s.[k] FROM OPENJSON(@P1) WITH ([k] VARCHAR(255) '$.k') s) AS s ON d.[k] = s.[k] \
         WHEN MATCHED AND d.[v] < @P2 THEN UPDATE SET d.[v] = @P2 WHEN NOT MATCHED THEN INSERT ([k], [v]) VALUES (s.[k], @P2) OUTPUT inserted.[k];",
        "SELECT 'a\n''b', N'\u{1f600}'",
    ];
    let bad = [
        "SELECT a FROM t ORDER BY a LIMIT 5",
        "SELECT `a` FROM t",
        "SELECT \"a FROM t",
        "SELECT [a] FROM [t",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t (a) VALUES (1) RETURNING a",
        "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1",
        "CREATE TABLE IF NOT EXISTS t (a INT)",
        "SELECT a FROM t WHERE a IS TRUE",
        "SELECT a FROM t OFFSET 5 ROWS",
        "SELECT a FROM",
        "SELECT 1; DROP TABLE t",
        "SELECT 'it's'",
    ];
    tell_apart(&judge, &good, &bad);
}

/// Pieces that an engine could take for something else.
#[cfg(feature = "_paper")]
const PIECES: &[&str] = &[
    "]",
    "]]",
    "[",
    "'",
    "''",
    "\"",
    "`",
    ";",
    "--",
    "/*",
    "*/",
    "@P1",
    "@@x",
    "%",
    "_",
    "\\",
    "|",
    "\n",
    "\r",
    "\t",
    " ",
    "GO\n",
    "\nGO\n",
    "DROP TABLE canary",
    "a",
    "Z",
    "ß",
    "\u{130}",
    "\u{1f600}",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    ".",
    ",",
    "(",
    ")",
    "=",
    "$(x)",
    "{0}",
    "N'",
    "0x41",
    "\u{e000}",
    "\u{7f}",
    ":1",
    ":\"x\"",
    "q'[",
];

/// A text of such pieces, with a mark in it that stands nowhere else.
#[cfg(feature = "_paper")]
fn hostile(random: &mut heavenbase_tests::random::Random, mark: &str) -> String {
    let mut text: String = (0..1 + random.next() % 7).map(|_| PIECES[random.next() as usize % PIECES.len()]).collect();
    text.push_str(mark);
    text.push_str(PIECES[random.next() as usize % PIECES.len()]);
    text
}

/// Of 5,000 tables with such names of table, key and column, asked for and written with such values: the statements, each with
/// the mark of its value and the quoted names that must stand in it.
#[cfg(any(feature = "mssql", feature = "oracle"))]
async fn hostile_statements(
    paper: &std::sync::Arc<dyn heavenbase::driver::Driver>,
    transcript: &Transcript,
    fit: fn(String) -> String,
    quote: fn(&str) -> String,
    kind: &'static str,
) -> std::collections::BTreeSet<String> {
    let check = |text: &str, number: usize, names: &[&str]| {
        assert!(!text.contains(&format!("v{number}q")), "a value stands in {text}");
        if text.contains(&format!("t{number}q")) {
            assert!(names[..2].iter().all(|name| text.contains(&quote(name))), "a name is not quoted in {text}");
            // Without its quoted names, nothing of them is left.
            let rest = names.iter().fold(text.to_owned(), |text, name| text.replace(&quote(name), ""));
            assert!(!rest.contains(&format!("{number}q")), "a name stands outside of its quotes in {text}");
        }
    };
    hostile_texts(paper, transcript, fit, kind, 5_000, check).await
}

/// Of many such tables the statements. `check` is given each with its number and the names: schema, table, key, column.
#[cfg(feature = "_paper")]
async fn hostile_texts(
    paper: &std::sync::Arc<dyn heavenbase::driver::Driver>,
    transcript: &Transcript,
    fit: fn(String) -> String,
    kind: &'static str,
    tables: usize,
    check: impl Fn(&str, usize, &[&str]),
) -> std::collections::BTreeSet<String> {
    use heavenbase::backends::paper::{Answers, Scene};
    use heavenbase::capability::Placement;
    use heavenbase::driver::{OrderKey, SortKey, SubQuery, WriteBatch, WriteMode};
    use heavenbase::filter::{Condition, Filter, Test};
    use heavenbase::schema::{Binding, EntitySchema, ExistingTable, KeyKind, Routing};
    use heavenbase::types::{Id, LogicalType, Value};
    use heavenbase_tests::data::Spec;

    let mut random = heavenbase_tests::random::Random::new(heavenbase_tests::random::seed());
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let mut texts = std::collections::BTreeSet::new();
    for number in 0..tables {
        let mut text = |what: &str| hostile(&mut random, &format!("{what}{number}q"));
        let mut name = |what: &str| leak(fit(text(what)));
        let (schema, table, key, column) = (name("s"), name("t"), name("k"), name("c"));
        let value = text("v");
        let path: &'static [&'static str] = Box::leak(Box::new([schema, table]));
        let existing = Some(ExistingTable { path, key, kind: KeyKind::Text });
        let field = Spec::new(column, LogicalType::TEXT, Placement::InlineColumn);
        let entity = Box::leak(Box::new(EntitySchema { existing, ..Spec::entity("hostile", &[field]) }));
        let binding = Binding { name: "main", kind, driver: paper.clone() };
        let part = Routing::new(entity, &"n".into(), "main", &[binding]).expect("the names differ").parts[0].clone();
        transcript.set(Scene { part: Some(part.clone()), answers: Answers::Present, ids: vec![Id::from(value.as_str())], version: 0 });
        let test = |condition| Filter::Test(Test::new(column, condition));
        let conditions = [
            Condition::Eq(Value::Text(value.clone())),
            Condition::Lt(Value::Text(value.clone())),
            Condition::Contains(value.clone()),
            Condition::StartsWith(value.clone()),
            Condition::EndsWith(value.clone()),
            Condition::Like(value.replace('_', "%")),
            Condition::NotIn(vec![Value::Text(value.clone()), Value::Null]),
        ];
        let filter = Filter::And(conditions.into_iter().map(test).collect());
        let order = vec![OrderKey { key: SortKey::Column(0), descending: number % 2 == 0 }];
        let query = SubQuery {
            filter,
            ids: Some(vec![Id::from(value.as_str())].into()),
            columns: vec![0],
            order,
            limit: Some(5),
            ..SubQuery::default()
        };
        // Of the conditions those that the engine takes: it is asked about no others.
        let query = SubQuery { filter: paper.plan(&part, &query).taken, ..query };
        paper.open(part.clone(), query.into()).expect("a plan").next_page().await.expect("an answer");
        for mode in [WriteMode::Upsert, WriteMode::Patch, WriteMode::Delete] {
            let columns = if mode == WriteMode::Delete { Vec::new() } else { vec![0] };
            let values = columns.iter().map(|_| Value::Text(value.clone())).collect();
            let ids = vec![Id::from(value.as_str())];
            paper
                .write(&part, WriteBatch { mode, version: 0, ids, columns, values, expected: Vec::new() }.into())
                .await
                .expect("an answer");
        }
        for statement in transcript.take() {
            check(&statement.text, number, &[schema, table, key, column]);
            texts.insert(statement.text);
        }
    }
    texts
}

#[cfg(feature = "mssql")]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_values_of_mssql_stay_what_they_are() {
    let transcript = Transcript::new();
    let paper = heavenbase::backends::mssql::on_paper(transcript.clone());
    let quote = |name: &str| format!("[{}]", name.replace(']', "]]"));
    let texts = hostile_statements(&paper, &transcript, |name| name, quote, "mssql").await;
    assert!(texts.len() > 15_000, "only {} statements", texts.len());
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_MSSQL") else { return };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let refused = judge.refused(&texts).expect("the judge answers");
    assert!(refused.is_empty(), "{} of {} are refused: {:#?}", refused.len(), texts.len(), &refused[..refused.len().min(5)]);
    println!("{} statements with hostile names, each one statement", texts.len());
}

/// Oracle has no way to write a quote within a name, and the grammar none for the end of a line.
#[cfg(feature = "oracle")]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_values_of_oracle_stay_what_they_are() {
    let transcript = Transcript::new();
    let paper = heavenbase::backends::oracle::on_paper(transcript.clone());
    let fit = |name: String| name.replace('"', "'").replace(['\n', '\r'], " ");
    let texts = hostile_statements(&paper, &transcript, fit, |name| format!("\"{name}\""), "oracle").await;
    assert!(texts.len() > 15_000, "only {} statements", texts.len());
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_ORACLE") else { return };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let refused = judge.refused(&texts).expect("the judge answers");
    assert!(refused.is_empty(), "{} of {} are refused: {:#?}", refused.len(), texts.len(), &refused[..refused.len().min(5)]);
    println!("{} statements with hostile names, each one statement", texts.len());
}

/// The table calls no text sorted or grouped natively, for a long one is neither. A short one is, and the driver takes it.
#[cfg(feature = "oracle")]
#[tokio::test]
async fn oracle_sorts_and_groups_short_texts_by_itself_and_long_ones_not() {
    use heavenbase::capability::Placement;
    use heavenbase::driver::{Aggregate, AggregateFunction, Measure, OrderKey, SortKey, SubQuery};
    use heavenbase::schema::{Binding, Routing};
    use heavenbase::types::LogicalType;
    use heavenbase_tests::data::Spec;

    let transcript = Transcript::new();
    let paper = heavenbase::backends::oracle::on_paper(transcript.clone());
    let fields = [("short", LogicalType::Text { max: 255 }), ("long", LogicalType::TEXT)];
    let fields = fields.map(|(name, logical)| Spec::new(name, logical, Placement::InlineColumn));
    let entity = Box::leak(Box::new(Spec::entity("texts", &fields)));
    let binding = Binding { name: "main", kind: "oracle", driver: paper.clone() };
    let part = Routing::new(entity, &"n".into(), "main", &[binding]).expect("the names differ").parts[0].clone();
    let order = |column| vec![OrderKey { key: SortKey::Column(column), descending: true }];
    let sorted = |column| SubQuery { columns: vec![column], order: order(column), limit: Some(3), ..SubQuery::default() };
    let measures = |column| vec![Measure { function: AggregateFunction::Min, column: Some(column) }];
    let filter = heavenbase::filter::Filter::all;
    let grouped = |column| Aggregate { filter: filter(), ids: None, keys: vec![column], measures: measures(column) };
    assert!(paper.plan(&part, &sorted(0)).order && paper.plans_aggregate(&part, &grouped(0)));
    let long = paper.plan(&part, &sorted(1));
    assert!(!long.order && !long.limit && !paper.plans_aggregate(&part, &grouped(1)));
    paper.open(part.clone(), sorted(0).into()).expect("a plan").next_page().await.expect("an answer");
    paper.aggregate(&part, &grouped(0)).await.expect("an answer");
    let texts: Vec<String> = transcript.take().into_iter().map(|statement| statement.text).collect();
    assert!(texts[0].contains("ORDER BY t.\"short\" DESC") && texts[1].contains("GROUP BY t.\"short\""), "{texts:?}");
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_ORACLE") else { return };
    assert_eq!(judge.refused(&texts.iter().map(String::as_str).collect::<Vec<_>>()).expect("the judge answers"), []);
}

/// A quote in a name of a table of others would end it: it is refused before anything is sent.
#[cfg(feature = "oracle")]
#[tokio::test]
async fn oracle_refuses_names_that_cannot_be_quoted() {
    use heavenbase::ErrorKind;
    use heavenbase::capability::Placement;
    use heavenbase::schema::{Binding, EntitySchema, ExistingTable, KeyKind, Routing};
    use heavenbase::types::LogicalType;
    use heavenbase_tests::data::Spec;

    let transcript = Transcript::new();
    let paper = heavenbase::backends::oracle::on_paper(transcript.clone());
    let paths: [(&'static [&'static str], &'static str, &'static str); 3] =
        [(&["a\"b"], "k", "c"), (&["s", "t"], "k\" = 1 OR \"k", "c"), (&["t"], "k", "c\"")];
    for (path, key, column) in paths {
        let field = Spec::new(column, LogicalType::TEXT, Placement::InlineColumn);
        let existing = Some(ExistingTable { path, key, kind: KeyKind::Text });
        let entity = Box::leak(Box::new(EntitySchema { existing, ..Spec::entity("quoted", &[field]) }));
        let binding = Binding { name: "main", kind: "oracle", driver: paper.clone() };
        let part = Routing::new(entity, &"n".into(), "main", &[binding]).expect("the names differ").parts[0].clone();
        let refused = paper.ensure(&part).await.map_err(|error| error.kind());
        assert_eq!(refused.map(drop), Err(ErrorKind::InvalidSchema), "{path:?} {key} {column}");
    }
    assert!(transcript.take().is_empty());
}

/// Values stand in the text there. Without its quoted texts and names nothing is left of a statement but words of ours.
#[cfg(feature = "starrocks")]
#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_values_of_starrocks_stay_what_they_are() {
    let transcript = Transcript::new();
    let paper = heavenbase::backends::starrocks::on_paper(transcript.clone());
    let quote = |name: &str| format!("`{}`", name.replace('`', "``"));
    let check = |text: &str, number: usize, names: &[&str]| {
        let bare = judged::bare(text);
        let ours = |c: char| c.is_ascii_alphanumeric() || " _.,()<>=+-?*".contains(c);
        assert!(bare.chars().all(ours) && !bare.contains("--") && !bare.contains("/*"), "{bare}: {text}");
        assert!(!bare.contains(&format!("{number}q")), "a name or a value stands outside of its quotes in {text}");
        if text.contains(&format!("t{number}q")) && !text.contains("information_schema") {
            assert!(names[..2].iter().all(|name| text.contains(&quote(name))), "a name is not quoted in {text}");
        }
    };
    let texts = hostile_texts(&paper, &transcript, |name| name, "starrocks", 3_000, check).await;
    assert!(texts.len() > 9_000, "only {} statements", texts.len());
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_SQLFLUFF") else { return };
    // It has no word for a backtick within a name and takes a backslash before one for an escape, and it takes long: some without.
    let read = |text: &&str| !text.contains("``") && !text.contains("\\`");
    let some: Vec<&str> = texts.iter().map(String::as_str).filter(read).step_by(40).collect();
    taken(&judge, &some);
    println!("{} statements with hostile names and values, {} of them judged", texts.len(), some.len());
}
