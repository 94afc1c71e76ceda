//! Backends that no test machine has a server of: every statement of the behaviour suite, read by the engine's own parser.
//! Each judge is also given what it must refuse.
#![cfg(feature = "_paper")]

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

/// What came of a suite, in a file beside the test's, and what the judge says of it.
#[cfg(feature = "mssql")]
fn judged(judge: &Judge, kind: &str, found: &judged::Found) {
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
    let refused = judge.refused(&texts).expect("the judge answers");
    assert!(refused.is_empty(), "{} of {} are refused: {:#?}", refused.len(), texts.len(), &refused[..refused.len().min(20)]);
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
#[cfg(feature = "mssql")]
async fn hostile_statements(
    paper: &std::sync::Arc<dyn heavenbase::driver::Driver>,
    transcript: &Transcript,
    quote: fn(&str) -> String,
    kind: &'static str,
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
    for number in 0..5_000 {
        let mut name = |what: &str| leak(hostile(&mut random, &format!("{what}{number}q")));
        let (schema, table, key, column) = (name("s"), name("t"), name("k"), name("c"));
        let value = name("v").to_owned();
        let path: &'static [&'static str] = Box::leak(Box::new([schema, table]));
        let existing = Some(ExistingTable { path, key, kind: KeyKind::Text });
        let text = Spec::new(column, LogicalType::TEXT, Placement::InlineColumn);
        let entity = Box::leak(Box::new(EntitySchema { existing, ..Spec::entity("hostile", &[text]) }));
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
            assert!(!statement.text.contains(&format!("v{number}q")), "a value stands in {}", statement.text);
            if statement.text.contains(&format!("t{number}q")) {
                assert!(
                    statement.text.contains(&quote(table)) && statement.text.contains(&quote(schema)),
                    "a name is not quoted in {}",
                    statement.text
                );
                // Without its quoted names, nothing of them is left.
                let rest = [schema, table, key, column].iter().fold(statement.text.clone(), |text, name| text.replace(&quote(name), ""));
                assert!(!rest.contains(&format!("{number}q")), "a name stands outside of its quotes in {}", statement.text);
            }
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
    let texts = hostile_statements(&paper, &transcript, quote, "mssql").await;
    assert!(texts.len() > 15_000, "only {} statements", texts.len());
    let Some(judge) = Judge::of("HEAVENBASE_TEST_JUDGE_MSSQL") else { return };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let refused = judge.refused(&texts).expect("the judge answers");
    assert!(refused.is_empty(), "{} of {} are refused: {:#?}", refused.len(), texts.len(), &refused[..refused.len().min(5)]);
    println!("{} statements with hostile names, each one statement", texts.len());
}
