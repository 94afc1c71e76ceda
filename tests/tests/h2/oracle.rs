//! Oracle's driver over H2 in its mode of Oracle, which takes the empty text for null as the server does. What H2 has not is
//! named here, and left out aloud.

use heavenbase::backends::oracle::{over, server_error};
use heavenbase::{Error, ErrorKind};
use heavenbase_tests::conformance::DriverSetup;
use heavenbase_tests::data::Manners;
use heavenbase_tests::h2::H2;

/// The catalog as far as the driver asks for it.
const READY: &str = "SET COLLATION \"CHARSET_X-BY-BYTES\"; \
    CREATE VIEW IF NOT EXISTS USER_TABLES AS SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'PUBLIC' AND TABLE_TYPE = 'BASE TABLE'; \
    CREATE VIEW IF NOT EXISTS USER_INDEXES AS SELECT INDEX_NAME FROM INFORMATION_SCHEMA.INDEXES WHERE TABLE_SCHEMA = 'PUBLIC'; \
    CREATE VIEW IF NOT EXISTS USER_TAB_COLUMNS AS SELECT TABLE_NAME, COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'PUBLIC'";

/// H2 writes `?1` for `:1`, waits for locks as it was told when it was asked to, keeps no bin, and indexes no expressions.
fn said(text: &str) -> String {
    let mut quote = None;
    let marked: String = text
        .chars()
        .map(|c| {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                None if c == ':' => return '?',
                _ => {}
            }
            c
        })
        .collect();
    let text = marked.replace(" WAIT 30", "").replace(" WAIT 60", "").replace(" CASCADE CONSTRAINTS PURGE", " CASCADE");
    match text.split_once(" (CASE WHEN ").filter(|_| text.starts_with("CREATE UNIQUE INDEX ")) {
        Some((head, rest)) => {
            let names: Vec<&str> = rest.split(" THEN ").skip(1).filter_map(|piece| piece.split(" END").next()).collect();
            format!("{head} ({})", names.join(", "))
        }
        None => text,
    }
}

/// H2's numbers as the server's.
fn meaning(code: i32, words: &str) -> Error {
    let number = match code {
        // `Unique index or primary key violation: "PUBLIC.name ON PUBLIC.table(…) VALUES …"`.
        23_505 => {
            let name = words.split('"').nth(1).and_then(|rest| rest.strip_prefix("PUBLIC.")).and_then(|rest| rest.split(" ON ").next());
            return server_error(
                1,
                &format!("ORA-00001: unique constraint (PUBLIC.{}) violated", name.unwrap_or_default().trim_matches('\\')),
            );
        }
        42_101 | 42_111 | 42_121 => 955,
        42_102..=42_104 => 942,
        42_122 => 904,
        23_502 => 1400,
        22_001 => 12_899,
        40_001 => 60,
        50_200 => 30_006,
        90_131 => 8177,
        _ => return Error::new(ErrorKind::Backend, format!("H2 says {code}: {words}")),
    };
    server_error(number, words)
}

#[tokio::test(flavor = "multi_thread")]
async fn oracles_statements_run_where_h2_stands_in() {
    let Some((address, database)) = super::stand() else { return };
    let h2 = H2 { address, database, mode: "Oracle", ready: READY, said, meaning, decimals: false };
    // Neither of them knows -0.0.
    let manners = Manners { negative_zero: false, ..Manners::default() };
    let setup = DriverSetup { rounds: 25, manners, ..DriverSetup::new("oracle", over(h2, "H2 in place of Oracle")) };
    super::executed(setup, OUT).await;
}

/// Cases that H2 cannot run, and why.
///
/// It also takes `_` of `LIKE` for a unit of UTF-16, where Oracle takes a character: a seed or a number of rounds that pairs
/// such a pattern with a text of one character beyond U+FFFF fails in `filters::single::text`, and is no fault of the driver.
const OUT: &[(&str, &str)] = &[("search::", "it has no vectors")];
