//! The matrix of the README, written from the table.

use super::table::{BackendRows, TABLE};
use super::{Operation, class};

/// Who proved a backend's rows: the engine that the behaviour suite last passed on, or nobody.
///
/// A row without an entry here was run by nobody.
pub const PROOFS: &[(&str, &str)] = &[
    ("inmem", "in process"),
    ("json", "files, read back by CPython"),
    ("pickle", "files, read back by CPython"),
    ("file", "files, read back by CPython"),
    ("sqlite", "SQLite, bundled"),
    ("duckdb", "DuckDB 1.5"),
    ("elasticsearch", "Elasticsearch 8.19"),
    ("chroma", "Chroma 1.5"),
    ("pinecone", "own peer, which Pinecone's client accepts; **no live server**"),
    ("lance", "Lance 14, in process"),
    ("milvus", "Milvus 2.3 and Lite 3.2"),
    ("postgres", "PostgreSQL 15"),
    ("pgvector", "PostgreSQL 18 with pgvector 0.8"),
    ("mysql", "MariaDB 10.11, MySQL 9.7"),
    ("oceanbase", "seekdb 1.4"),
    ("mssql", "H2 in its place, vectors apart; own peer on the wire; judged by Microsoft's parser; **no live server**"),
    ("oracle", "H2 in its place, vectors apart; judged by a PL/SQL grammar; **no live server**"),
    ("starrocks", "judged by sqlfluff; suite on MariaDB in its place, wire on seekdb too; Stream Load on own peer; **no live server**"),
    ("trino", "Trino 476 with Iceberg"),
    ("trino_read_only", "Trino 476 with Iceberg and tpch"),
];

/// The capability matrix as Markdown: a line an operation, a column a backend.
///
/// ● native on every class that the operation means something on and the backend stores; ◐ native on some, the others
/// after `.scan()`; ○ after `.scan()`; · not stored.
pub fn markdown() -> String {
    let mut text = String::from("| |");
    TABLE.iter().for_each(|b| text += &format!(" {} |", b.backend));
    text += "\n|---|";
    TABLE.iter().for_each(|_| text += ":-:|");
    for operation in Operation::ALL {
        text += &format!("\n| `{operation}` |");
        TABLE.iter().for_each(|b| text += &format!(" {} |", cell(b, *operation)));
    }
    text += "\n| metrics |";
    for backend in TABLE {
        let metrics: Vec<&str> = backend.metrics.iter().map(|m| m.name()).collect();
        text += &format!(" {} |", if metrics.is_empty() { "·".to_owned() } else { metrics.join(" ") });
    }
    text += "\n| proved on |";
    for backend in TABLE {
        let proof = PROOFS.iter().find(|(name, _)| *name == backend.backend).map_or("**not run**", |(_, proof)| proof);
        text += &format!(" {proof} |");
    }
    text.push('\n');
    text
}

fn cell(backend: &BackendRows, operation: Operation) -> &'static str {
    let meant = class::MEANINGS.iter().filter(|(_, ops)| ops.contains(&operation)).map(|(name, _)| *name);
    let (mut stored, mut native) = (0, 0);
    for class in meant {
        let rows: Vec<_> = backend.rows.iter().filter(|r| r.classes.contains(&class)).collect();
        if !rows.is_empty() {
            stored += 1;
            native += usize::from(rows.iter().any(|r| r.native.contains(&operation)));
        }
    }
    match (stored, native) {
        (0, _) => "·",
        (_, 0) => "○",
        (s, n) if s == n => "●",
        _ => "◐",
    }
}
