//! The peer, as others see it: FreeTDS and `python-tds`. What they take is the protocol, and not only what our client takes.

use std::process::Command;
use std::sync::Arc;

use heavenbase_tests::tds::{Cell, Column, Kind, Manners, Peer, Reply};

use crate::common::PASSWORD;

/// Where the clients are: a directory with `python-tds`; FreeTDS's `tsql` is on the path.
fn clients() -> Option<String> {
    let found = std::env::var("HEAVENBASE_TEST_TDS_CLIENTS").ok();
    if found.is_none() {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "HEAVENBASE_TEST_TDS_CLIENTS is not set");
        eprintln!("not run: HEAVENBASE_TEST_TDS_CLIENTS is not set");
    }
    found
}

async fn peer() -> Peer {
    let answer = |asked: &heavenbase_tests::tds::Asked| {
        let columns =
            [("n", Kind::Whole), ("t", Kind::Text), ("x", Kind::LongText), ("f", Kind::Float), ("p", Kind::Decimal(2)), ("z", Kind::Text)];
        let columns: Vec<Column> = columns.into_iter().map(|(name, kind)| Column::new(name, kind)).collect();
        let row = |n| {
            let text = |text: &str| Cell::Text(text.to_owned());
            vec![Cell::Whole(n), text("blau-grün"), text("\u{1f600} long"), Cell::Float(1.5), Cell::Decimal(1_234, 2), Cell::Null]
        };
        match asked.text.trim() {
            "SELECT wrong" => Reply::Error(208, 16, "Invalid object name 'wrong'.".to_owned()),
            text if text.starts_with("SELECT rows") => Reply::Rows(columns, vec![row(7), row(8)]),
            text if text.contains("@") => {
                Reply::Rows(columns[..1].to_vec(), vec![vec![asked.values.first().cloned().unwrap_or(Cell::Null)]])
            }
            _ => Reply::Done(0),
        }
    };
    Peer::start(Manners { answer: Arc::new(answer), password: PASSWORD.to_owned(), garbage: None }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn freetds_accepts_the_peer() {
    if clients().is_none() {
        return;
    }
    let peer = peer().await;
    let run = |password: &'static str, statement: &'static str| {
        let address = peer.address();
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new("timeout");
            command.args(["20", "tsql", "-H", "127.0.0.1", "-p", &address.port().to_string(), "-U", "sa", "-P", password, "-o", "q"]);
            command.env("TDSVER", "7.4").env("LC_ALL", "C.UTF-8").stdin(std::process::Stdio::piped());
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            let mut child = command.spawn().expect("tsql runs");
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{statement}\ngo\n").as_bytes()).ok();
            let output = child.wait_with_output().unwrap();
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        })
    };
    let rows = run(PASSWORD, "SELECT rows").await.unwrap();
    for expected in ["7", "8", "blau-grün", "\u{1f600} long", "1.5", "12.34", "NULL"] {
        assert!(rows.contains(expected), "no {expected} in {rows}");
    }
    let wrong = run(PASSWORD, "SELECT wrong").await.unwrap();
    assert!(wrong.contains("208") && wrong.contains("Invalid object name"), "{wrong}");
    assert!(run("another", "SELECT rows").await.unwrap().contains("18456"));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_tds_accepts_the_peer() {
    let Some(home) = clients() else { return };
    let peer = peer().await;
    let script = r#"
import sys, pytds
port, password = int(sys.argv[1]), sys.argv[2]
with pytds.connect(dsn='127.0.0.1', port=port, database='shop', user='sa', password=password, autocommit=True, login_timeout=10) as c:
    with c.cursor() as k:
        k.execute('SELECT rows')
        print(repr(k.fetchall()))
        k.execute('SELECT %s', (42,))
        print(repr(k.fetchall()))
        try:
            k.execute('SELECT wrong')
        except pytds.Error as e:
            print('error', e.msg_no)
try:
    pytds.connect(dsn='127.0.0.1', port=port, user='sa', password='another', login_timeout=10)
except pytds.Error as e:
    print('login', e.msg_no)
"#;
    let port = peer.address().port().to_string();
    let run = move || Command::new("timeout").args(["30", "python3", "-c", script, &port, PASSWORD]).env("PYTHONPATH", home).output();
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for expected in ["(7, 'blau-grün', '\u{1f600} long', 1.5, Decimal('12.34'), None)", "(42,)", "error 208", "login 18456"] {
        assert!(text.contains(expected), "no {expected} in {text}");
    }
}
