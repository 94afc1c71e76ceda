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
