//! SQL Server's driver over H2 in its mode of SQL Server. What H2 says in other words, it is told in its own ([`said`]), and how
//! often is counted; a statement that it refuses nevertheless fails its case.
//!
//! What is not shown here: H2 fills up neither texts nor bytes before it compares them, its locks are its own, and a definition
//! commits there.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use heavenbase::backends::mssql::{over, server_error};
use heavenbase::{Error, ErrorKind};
use heavenbase_tests::conformance::DriverSetup;
use heavenbase_tests::data::Manners;
use heavenbase_tests::h2::H2;

/// The catalog as far as the driver asks for it, and functions that H2 has not.
const READY: &str = "CREATE SCHEMA SYS; \
    CREATE VIEW SYS.TABLES AS SELECT TABLE_NAME AS \"name\", 0 AS \"schema_id\", TABLE_NAME AS \"object_id\" \
        FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLIC' AND TABLE_TYPE = 'BASE TABLE'; \
    CREATE VIEW SYS.INDEXES AS SELECT LEFT(INDEX_NAME, LENGTH(INDEX_NAME) - LENGTH(TABLE_NAME) - 4) AS \"name\", TABLE_NAME AS \"object_id\" \
        FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC' AND INDEX_NAME LIKE '% ON %'; \
    CREATE ALIAS OPENJSON FOR \"Stand.openJson\"; \
    CREATE ALIAS DATALENGTH FOR \"Stand.dataLength\"; \
    CREATE ALIAS ALONE FOR \"Stand.alone\"";

/// What H2 has not, and what stands in its place.
const OTHERWISE: &[(&str, &str)] = &[
    ("COLLATE", "it has neither collation: its own order of text is that of UTF-16, as the one's, and its casts to bytes give UTF-8"),
    ("sp_getapplock", "a lock of the stand-in, until the transaction ends"),
    ("transactions", "it is always in one"),
    ("IF OBJECT_ID", "CREATE TABLE IF NOT EXISTS"),
    ("WITH (HOLDLOCK) of MERGE", "no hint: a row that another session brought in between is a deadlock, and tried again"),
    ("OUTPUT", "SELECT … FROM FINAL TABLE, or OLD TABLE"),
    ("UPDATE … FROM", "MERGE without an insertion"),
    ("DELETE … FROM", "the same without the second name"),
    ("names of indexes", "the table's behind them: here they belong to the schema"),
    ("WHERE of indexes", "one more column, computed, that tells rows with a null apart"),
    ("+ of bytes", "||"),
];

/// How often each of them was met.
static MET: Mutex<BTreeMap<&'static str, usize>> = Mutex::new(BTreeMap::new());

fn met(what: &'static str) {
    *MET.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
}

/// What stands in quotes, apart from the rest: `‹0›` in its place.
fn apart(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut kept) = (String::with_capacity(text.len()), Vec::new());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let close = match c {
            '[' => ']',
            '\'' => '\'',
            _ => {
                rest.push(c);
                continue;
            }
        };
        let quote = if c == '[' { '"' } else { '\'' };
        let mut piece = String::from(quote);
        while let Some(inner) = chars.next() {
            if inner == close && chars.next_if_eq(&close).is_none() {
                break;
            }
            piece.push(inner);
            if inner == quote {
                piece.push(quote);
            }
        }
        piece.push(quote);
        rest.push_str(&format!("‹{}›", kept.len()));
        kept.push(piece);
    }
    (rest, kept)
}

fn together(rest: &str, kept: &[String]) -> String {
    let mut text = String::with_capacity(rest.len());
    for (at, piece) in rest.split('‹').enumerate() {
        match piece.split_once('›').filter(|_| at > 0) {
            Some((number, after)) => text.extend([number.parse().ok().and_then(|number: usize| kept.get(number)).map_or("", |k| k), after]),
            None => text.push_str(piece),
        }
    }
    text
}

/// A statement as H2 takes it.
fn said(text: &str) -> String {
    if text.starts_with("--script") {
        met("sp_getapplock");
        return "SELECT ALONE()".to_owned();
    }
    match text {
        "BEGIN TRANSACTION" => {
            met("transactions");
            return "SELECT 1".to_owned();
        }
        "COMMIT TRANSACTION" => return "COMMIT".to_owned(),
        "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION" => return "ROLLBACK".to_owned(),
        _ => {}
    }
    let (mut rest, mut kept) = apart(text);
    if rest.contains(" COLLATE ") {
        met("COLLATE");
        rest = rest.replace(" COLLATE Latin1_General_100_BIN2_UTF8", "").replace(" COLLATE Latin1_General_100_BIN2", "");
    }
    if rest.contains(" + 0x01") {
        met("+ of bytes");
        rest = rest.replace(" + 0x01", " || X'01'");
    }
    rest = rest.replace("@P", "?").replace("COUNT_BIG(", "COUNT(").replace("SCHEMA_ID()", "0");
    let rest = reworded(&rest).or_else(|| index(&rest, &mut kept)).unwrap_or(rest);
    together(&rest, &kept)
}

/// What a statement gives of the rows that it changed: from this table of H2's.
fn given(table: &str, key: Option<&str>, statement: String) -> String {
    match key {
        Some(key) => {
            met("OUTPUT");
            format!("SELECT {key} FROM {table} TABLE ({statement})")
        }
        None => statement,
    }
}

fn reworded(rest: &str) -> Option<String> {
    if let Some((_, table)) = rest.split_once(" IS NULL CREATE TABLE ").filter(|_| rest.starts_with("IF OBJECT_ID")) {
        met("IF OBJECT_ID");
        return Some(format!("CREATE TABLE IF NOT EXISTS {table}"));
    }
    if let Some(merge) = rest.strip_prefix("MERGE INTO ") {
        met("WITH (HOLDLOCK) of MERGE");
        let merge = merge.trim_end_matches(';').replacen(" WITH (HOLDLOCK)", "", 1).replacen(" NOT MATCHED BY TARGET", " NOT MATCHED", 1);
        let (merge, key) = merge.split_once(" OUTPUT inserted.").map_or((merge.as_str(), None), |(merge, key)| (merge, Some(key)));
        return Some(given("FINAL", key, format!("MERGE INTO {merge}")));
    }
    if let Some(update) = rest.strip_prefix("UPDATE t SET ") {
        met("UPDATE … FROM");
        let (set, from) = update.split_once(" FROM ")?;
        let (set, key) = set.split_once(" OUTPUT inserted.").map_or((set, None), |(set, key)| (set, Some(key)));
        let (table, source) = from.split_once(" AS t INNER JOIN ")?;
        let (source, on) = source.split_once(" ON ")?;
        let on = on.replacen(" WHERE ", " WHEN MATCHED AND ", 1);
        let matched = if on.contains(" WHEN MATCHED") { "" } else { " WHEN MATCHED" };
        return Some(given("FINAL", key, format!("MERGE INTO {table} AS t USING {source} ON {on}{matched} THEN UPDATE SET {set}")));
    }
    if let Some(delete) = rest.strip_prefix("DELETE t ") {
        met("DELETE … FROM");
        let (head, from) = delete.split_once("FROM ")?;
        let key = head.strip_prefix("OUTPUT deleted.").map(str::trim);
        return Some(given("OLD", key, format!("DELETE FROM {}", from.replacen(" AS t ", " t ", 1))));
    }
    None
}

/// An index: its name with the table's, and where it leaves rows with a null out, with a column that tells them apart. (In this mode
/// H2 takes nulls for equal.)
fn index(rest: &str, kept: &mut Vec<String>) -> Option<String> {
    let (head, on) = rest.split_once(" ON ").filter(|(head, _)| head.starts_with("CREATE ") && head.contains("INDEX "))?;
    met("names of indexes");
    let (head, name) = head.rsplit_once(' ')?;
    let (table, columns) = on.split_once(' ')?;
    let plain = |quoted: &str| Some(together(quoted, kept).strip_prefix('"')?.strip_suffix('"')?.to_owned());
    let name = format!("{} ON {}", plain(name)?, plain(table)?);
    kept.push(format!("\"{name}\""));
    let index = format!("‹{}›", kept.len() - 1);
    let Some((columns, with)) = columns.split_once(" WHERE ") else { return Some(format!("{head} {index} ON {table} {columns}")) };
    met("WHERE of indexes");
    let null = with.replace(" IS NOT NULL", " IS NULL").replace(" AND ", " OR ");
    kept.push(format!("\"nulls of {name}\""));
    let apart = format!("‹{}›", kept.len() - 1);
    let columns = columns.trim_end_matches(')');
    Some(format!(
        "ALTER TABLE {table} ADD COLUMN {apart} VARBINARY(255) GENERATED ALWAYS AS (CASE WHEN {null} THEN \"object_id\" ELSE X'' END); \
         {head} {index} ON {table} {columns}, {apart})"
    ))
}

/// The name of the index that a row clashed with: `…: "PUBLIC.name ON PUBLIC.table(…) VALUES (…)"`, with the name in two quotes
/// where it is no plain one. None for a primary key.
fn clashed(words: &str) -> Option<&str> {
    let name = words.split_once("PUBLIC.\"\"")?.1.split_once("\"\" ON PUBLIC.")?.0;
    name.rsplit_once(" ON ").map(|(index, _)| index)
}

/// H2's numbers as the server's.
fn meaning(code: i32, words: &str) -> Error {
    let number = match code {
        23_505 => match clashed(words) {
            Some(index) => {
                return server_error(2601, &format!("Cannot insert duplicate key row in object 't' with unique index '{index}'."));
            }
            // Under `HOLDLOCK` it would have waited.
            None if words.contains("MERGE INTO") => 1205,
            None => return server_error(2627, "Violation of PRIMARY KEY constraint 'PK'."),
        },
        40_001 | 90_131 => 1205,
        50_200 => 1222,
        42_102..=42_104 => 208,
        42_122 => 207,
        23_502 => 515,
        22_001 => 2628,
        22_003 => 8115,
        _ => return Error::new(ErrorKind::Backend, format!("H2 says {code}: {words}")),
    };
    server_error(number, words)
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_servers_statements_run_where_h2_stands_in() {
    let Some((address, database)) = super::stand() else { return };
    let h2 = H2 { address, database, mode: "MSSQLServer", ready: READY, said, meaning, decimals: true };
    // SQL Server knows -0.0, H2 does not.
    let manners = Manners { negative_zero: false, ..Manners::default() };
    let setup = DriverSetup { rounds: 25, manners, ..DriverSetup::new("mssql", over(h2, "H2 in place of SQL Server")) };
    super::executed(setup, OUT).await;
    let met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    for (what, instead) in OTHERWISE {
        println!("{} times {what}: {instead}", met.get(what).copied().unwrap_or_default());
    }
    assert!(met.keys().all(|what| OTHERWISE.iter().any(|(other, _)| other == what)), "{met:?}");
}

#[test]
fn statements_are_told_in_other_words_and_names_are_not() {
    let index = said("CREATE UNIQUE INDEX [a] ON [t WHERE]]\"] ([b], [c]) WHERE [b] IS NOT NULL");
    let table = "\"t WHERE]\"\"\"";
    let apart = "\"nulls of a ON t WHERE]\"\"\"";
    let column = format!(
        "ALTER TABLE {table} ADD COLUMN {apart} VARBINARY(255) GENERATED ALWAYS AS (CASE WHEN \"b\" IS NULL THEN \"object_id\" ELSE X'' END)"
    );
    assert_eq!(index, format!("{column}; CREATE UNIQUE INDEX \"a ON t WHERE]\"\"\" ON {table} (\"b\", \"c\", {apart})"));
    assert_eq!(
        said("DELETE t OUTPUT deleted.[id] FROM [t] AS t WHERE t.[id] = @P1"),
        "SELECT \"id\" FROM OLD TABLE (DELETE FROM \"t\" t WHERE t.\"id\" = ?1)"
    );
    assert_eq!(
        said(
            "UPDATE t SET [a] = s.[c0] OUTPUT inserted.[id] FROM [t] AS t INNER JOIN (VALUES (@P1, @P2)) AS s ([k], [c0]) ON t.[id] = s.[k] WHERE t.[v] < @P3"
        ),
        "SELECT \"id\" FROM FINAL TABLE (MERGE INTO \"t\" AS t USING (VALUES (?1, ?2)) AS s (\"k\", \"c0\") ON t.\"id\" = s.\"k\" \
         WHEN MATCHED AND t.\"v\" < ?3 THEN UPDATE SET \"a\" = s.\"c0\")"
    );
}

/// Cases that H2 cannot run, and why.
const OUT: &[(&str, &str)] = &[("search::", "it has no vectors")];
