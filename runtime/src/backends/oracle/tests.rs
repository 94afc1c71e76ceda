//! Batches against a server that is made up: what is sent in which order, and what becomes of what goes wrong.
// A test that panics has failed, which is the point.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::dialect::OracleDialect;
use super::driver::OracleDriver;
use super::failure::gone;
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Answer, Phase, Running, Session, Sessions};
use crate::capability::Placement;
use crate::driver::{Driver, WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::{Column, EntitySchema, Naming, Part, physical_name};
use crate::types::{Id, LogicalType, Value};

/// A fault of the first statement that begins so.
type Fault = (&'static str, fn(Phase) -> Error);

/// A server that finds these rows, each with its version, and fails as it is told.
#[derive(Clone, Default)]
struct Made {
    rows: Arc<Vec<(&'static str, i64)>>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    sent: Arc<Mutex<Vec<(String, Vec<Vec<Value>>)>>>,
}

impl Made {
    fn new(rows: &[(&'static str, i64)], faults: &[Fault]) -> Self {
        Made { rows: Arc::new(rows.to_vec()), faults: Arc::new(Mutex::new(faults.iter().copied().collect())), ..Made::default() }
    }

    fn driver(&self) -> OracleDriver {
        OracleDriver::new(self.clone(), None, OracleDialect { vectors: true }, "made up".to_owned())
    }

    async fn write(&self, part: &Arc<Part>, batch: WriteBatch) -> Result<WriteReport> {
        self.driver().write(part, Arc::new(batch)).await
    }

    /// The first words of what was sent.
    fn words(&self) -> Vec<String> {
        self.sent.lock().iter().map(|(text, _)| text.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn answer(&self, text: &str, rows: Vec<Vec<Value>>, phase: Phase) -> Result<()> {
        self.sent.lock().push((text.to_owned(), rows));
        let mut faults = self.faults.lock();
        match faults.front() {
            Some((start, fault)) if text.starts_with(start) => {
                let error = fault(phase);
                faults.pop_front();
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

impl Sessions for Made {
    fn session(&self, _: Phase) -> Running<'_, Box<dyn Session>> {
        let session: Box<dyn Session> = Box::new(self.clone());
        Box::pin(std::future::ready(Ok(session)))
    }
}

impl Session for Made {
    fn run<'s>(&'s mut self, statement: &'s Statement, phase: Phase) -> Running<'s, Answer> {
        let answer = self.answer(&statement.text, vec![statement.values.clone()], phase).map(|()| {
            let row = |(id, version): &(&str, i64)| vec![Value::Text((*id).to_owned()), Value::Int(*version)];
            Answer { rows: self.rows.iter().map(row).collect(), changed: 0 }
        });
        Box::pin(std::future::ready(answer))
    }

    fn run_each<'s>(&'s mut self, text: &'s str, rows: Vec<Vec<Value>>, phase: Phase) -> Running<'s, u64> {
        let number = rows.len() as u64;
        let answer = self.answer(text, rows, phase).map(|()| number);
        Box::pin(std::future::ready(answer))
    }
}

fn part(name: &'static str, logical: LogicalType, unique: bool) -> Arc<Part> {
    let column = Column {
        field: 0,
        name,
        physical: name.to_owned(),
        logical,
        nullable: true,
        placement: Placement::InlineColumn,
        copy: false,
        index: None,
        unique,
        metric: None,
        default: None,
    };
    let schema: &'static EntitySchema = Box::leak(Box::new(EntitySchema::new("thing", &[])));
    let table = physical_name(&Naming::QUOTED, &["test", "thing"]);
    Arc::new(Part { entity: schema, namespace: "test".into(), backend: "main", kind: "oracle", owner: true, table, columns: vec![column] })
}

fn batch(mode: WriteMode, rows: &[(&str, &str)]) -> WriteBatch {
    let ids = rows.iter().map(|(id, _)| Id::from(*id)).collect();
    let values = rows.iter().map(|(_, value)| Value::Text((*value).to_owned())).collect();
    WriteBatch { mode, version: 5, ids, columns: vec![0], values, expected: Vec::new() }
}

fn short() -> Arc<Part> {
    part("title", LogicalType::Text { max: 100 }, false)
}

#[tokio::test]
async fn what_is_lost_before_the_commit_is_tried_again_and_within_it_is_not() {
    let server = Made::new(&[], &[("INSERT", gone)]);
    server.write(&short(), batch(WriteMode::Insert, &[("a", "x")])).await.unwrap();
    assert_eq!(server.words(), ["INSERT", "ROLLBACK", "INSERT", "COMMIT"]);
    let server = Made::new(&[], &[("COMMIT", gone)]);
    let error = server.write(&short(), batch(WriteMode::Insert, &[("a", "x")])).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Unknown));
    assert_eq!(server.words(), ["INSERT", "COMMIT"]);
}

#[tokio::test]
async fn newer_rows_stay_older_ones_are_replaced_and_others_are_added() {
    let server = Made::new(&[("new", 9), ("old", 4)], &[]);
    let rows = [("absent", "1"), ("new", "2"), ("old", "3")];
    let report = server.write(&short(), batch(WriteMode::Upsert, &rows)).await.unwrap();
    assert_eq!((report.stale, report.missing), (vec![(1, 9)], vec![]));
    assert_eq!(server.words(), ["SELECT", "UPDATE", "INSERT", "COMMIT"]);
    let sent = server.sent.lock();
    assert!(sent[0].0.ends_with(" FOR UPDATE WAIT 30"), "{}", sent[0].0);
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(sent[1].1, [[Value::Int(5), text("3"), text("old"), Value::Int(5)]]);
    assert_eq!(sent[2].1, [[text("absent"), Value::Int(5), text("1")]]);
}

#[tokio::test]
async fn a_patch_says_what_is_missing_and_what_is_not_as_it_was_read() {
    let server = Made::new(&[("read", 3), ("written", 4)], &[]);
    let expected = vec![1, 3, 3];
    let rows = [("absent", "1"), ("read", "2"), ("written", "3")];
    let report = server.write(&short(), WriteBatch { expected, ..batch(WriteMode::Patch, &rows) }).await.unwrap();
    assert_eq!((report.stale, report.missing), (vec![(2, 4)], vec![0]));
    assert_eq!(server.words(), ["SELECT", "UPDATE", "COMMIT"]);
}

#[tokio::test]
async fn rows_of_one_batch_may_swap_what_is_unique() {
    let server = Made::new(&[("a", 1), ("b", 1)], &[]);
    server.write(&part("title", LogicalType::Text { max: 100 }, true), batch(WriteMode::Upsert, &[("a", "2"), ("b", "1")])).await.unwrap();
    assert_eq!(server.words(), ["SELECT", "DELETE", "INSERT", "COMMIT"]);
}

#[tokio::test]
async fn a_clash_names_the_id_or_the_field() {
    fn clash(_: Phase) -> Error {
        Error::new(ErrorKind::UniqueViolation, "another row already holds this value").with("key", "test__thing__title__unique")
    }
    let unique = part("title", LogicalType::Text { max: 100 }, true);
    let server = Made::new(&[("a", 1)], &[("INSERT", clash)]);
    let error = server.write(&unique, batch(WriteMode::Insert, &[("a", "x")])).await.unwrap_err();
    assert_eq!((error.kind(), error.detail("id")), (ErrorKind::AlreadyExists, Some("a")));
    let server = Made::new(&[], &[("INSERT", clash)]);
    let error = server.write(&unique, batch(WriteMode::Insert, &[("a", "x")])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UniqueViolation);
    assert!(format!("{error:?}").contains("title"), "{error:?}");
    // The key of the id: a row that was not there a moment ago.
    fn late(_: Phase) -> Error {
        Error::new(ErrorKind::UniqueViolation, "another row already holds this value").with("key", "SYS_C007")
    }
    let server = Made::new(&[], &[("INSERT", late)]);
    server.write(&short(), batch(WriteMode::Upsert, &[("a", "x")])).await.unwrap();
    assert_eq!(server.words(), ["SELECT", "INSERT", "ROLLBACK", "SELECT", "INSERT", "COMMIT"]);
}

#[tokio::test]
async fn nothing_empty_is_sent_and_a_long_text_has_a_head() {
    let long = "ä".repeat(5_000);
    let server = Made::new(&[], &[]);
    server.write(&part("body", LogicalType::TEXT, false), batch(WriteMode::Insert, &[("a", ""), ("b", &long)])).await.unwrap();
    let sent = server.sent.lock();
    assert_eq!(sent[0].0.matches(':').count(), 5, "{}", sent[0].0);
    let cells: Vec<&[Value]> = sent[0].1.iter().map(|row| &row[2..]).collect();
    assert_eq!(cells[0][..2], [Value::Text("\0".to_owned()), Value::Text("\0".to_owned())]);
    assert_eq!(cells[1][..2], [Value::Text(long.clone()), Value::Text("ä".repeat(1_000))]);
    assert!(cells.iter().all(|row| matches!(&row[2], Value::Bytes(digest) if digest.len() == 32)) && cells[0][2] != cells[1][2]);
}
