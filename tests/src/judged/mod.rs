//! Backends that no test machine has a server of: their drivers run on paper, beside memory that gives the answers, and a
//! judge reads what they wrote.
//!
//! [`Judged`] is the driver that the behaviour suite is given: each call goes to the driver on paper too, several times where
//! further statements hang on what the server finds ([`Answers`]). What it plans, limits and names is the paper's. So the
//! suite is green where memory is right, and every statement is written down that the driver would have sent.
//! [`suite`] runs it all, [`Judge`] calls the judge.

mod judge;
mod shape;
mod stream;

pub use judge::{Judge, Verdict};
pub use shape::{bare, one_of_each, shape};

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use heavenbase::backends::paper::{Answers, Scene, Transcript};
use heavenbase::backends::sql::Statement;
use heavenbase::backends::{Connect, InMem};
use heavenbase::driver::{
    Aggregate, Description, Driver, Ensured, Group, Narrowed, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SubQuery,
    WriteBatch, WriteReport,
};
use heavenbase::filter::Filter;
use heavenbase::schema::Part;
use heavenbase::types::Id;
use heavenbase::{ErrorKind, Result};

use crate::conformance::{DriverSetup, cases};

const ALL: [Answers; 3] = [Answers::Nothing, Answers::Present, Answers::Stale];

/// Memory that answers, and a driver on paper that is asked the same.
pub struct Judged {
    memory: Arc<dyn Driver>,
    sheet: Arc<Sheet>,
}

/// The driver on paper with what it has written so far.
struct Sheet {
    paper: Arc<dyn Driver>,
    transcript: Transcript,
    /// One call at a time: the scene is the transcript's.
    turn: tokio::sync::Mutex<()>,
    found: Mutex<Found>,
}

/// What came of a suite on paper.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The distinct texts, each with the values of its first use and how often it was sent.
    pub statements: BTreeMap<String, (Statement, usize)>,
    /// Calls that memory answered and the driver refused: a limit that it does not declare, a plan that it cannot run.
    pub faults: Vec<String>,
    /// Cases that ran.
    pub cases: usize,
}

/// What another answer of the server brings about, and no fault of the driver.
fn may_be_answered(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::UniqueViolation | ErrorKind::SchemaMismatch)
}

impl Sheet {
    /// Makes a call on paper in each of some scenes.
    async fn write<'a, T>(&'a self, call: &str, scene: Scene, answers: &[Answers], run: impl Fn(&'a dyn Driver) -> Reply<'a, T>) {
        let _turn = self.turn.lock().await;
        for &answers in answers {
            self.transcript.set(Scene { answers, ..scene.clone() });
            let outcome = run(&*self.paper).await.map(drop);
            self.note(call, answers, outcome);
        }
    }

    fn note(&self, call: &str, answers: Answers, outcome: Result<()>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for statement in self.transcript.take() {
            let text = statement.text.clone();
            found.statements.entry(text).or_insert((statement, 0)).1 += 1;
        }
        if let Err(error) = outcome
            && !may_be_answered(error.kind())
        {
            found.faults.push(format!("{call}, {answers:?}: {error:?}"));
        }
    }
}

impl Judged {
    /// A driver on paper, with the sheet that it writes on, over memory of its own.
    ///
    /// # Errors
    /// None in practice: memory always connects.
    pub async fn new(paper: Arc<dyn Driver>, transcript: Transcript) -> Result<Self> {
        let sheet = Sheet { paper, transcript, turn: tokio::sync::Mutex::default(), found: Mutex::default() };
        Ok(Judged { memory: InMem::new().connect().await?, sheet: Arc::new(sheet) })
    }

    /// What was written down so far.
    pub fn found(&self) -> Found {
        self.sheet.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for Judged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judged").field("engine", &self.sheet.paper.description().engine).finish_non_exhaustive()
    }
}

fn about(part: &Arc<Part>) -> Scene {
    Scene { part: Some(part.clone()), version: i64::MAX, ..Scene::default() }
}

impl Driver for Judged {
    fn description(&self) -> &Description {
        self.sheet.paper.description()
    }

    fn narrowed(&self) -> &[Narrowed] {
        self.sheet.paper.narrowed()
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::later(async move {
            let made = self.memory.ensure(part).await?;
            self.sheet.write("ensure", about(part), &ALL, |paper| paper.ensure(part)).await;
            Ok(made)
        })
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::later(async move {
            let report = self.memory.write(part, batch.clone()).await?;
            let scene = Scene { ids: batch.ids.clone(), version: batch.version, ..about(part) };
            let call = format!("write {:?} of {} rows", batch.mode, batch.len());
            self.sheet.write(&call, scene, &ALL, |paper| paper.write(part, batch.clone())).await;
            Ok(report)
        })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::later(async move {
            let page = self.memory.fetch(part, ids, columns).await?;
            self.sheet.write("fetch", about(part), &ALL[..1], |paper| paper.fetch(part, ids, columns)).await;
            Ok(page)
        })
    }

    fn fetch_one<'a>(&'a self, part: &'a Arc<Part>, id: &'a Id, columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::later(async move {
            let page = self.memory.fetch_one(part, id, columns).await?;
            self.sheet.write("fetch_one", about(part), &ALL[..1], |paper| paper.fetch_one(part, id, columns)).await;
            Ok(page)
        })
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        self.sheet.paper.plan(part, wanted)
    }

    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        self.sheet.paper.takes(part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        stream::open(&*self.memory, self.sheet.clone(), part, query)
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        Reply::later(async move {
            let number = self.memory.estimate(part, filter, cap).await?;
            self.sheet.write("estimate", about(part), &ALL[..1], |paper| paper.estimate(part, filter, cap)).await;
            Ok(number)
        })
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        self.sheet.paper.plans_aggregate(part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(async move {
            let groups = self.memory.aggregate(part, query).await;
            self.sheet.write("aggregate", about(part), &ALL[..1], |paper| paper.aggregate(part, query)).await;
            groups
        })
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        Reply::later(async move {
            self.sheet.write("drop_part", about(part), &ALL[..2], |paper| paper.drop_part(part)).await;
            self.memory.drop_part(part).await
        })
    }

    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()> {
        Reply::later(async move {
            self.sheet.write("refresh", about(part), &ALL[..1], |paper| paper.refresh(part)).await;
            self.memory.refresh(part).await
        })
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::later(async move {
            self.sheet.write("health", Scene::default(), &ALL[..1], |paper| paper.health()).await;
            self.memory.health().await
        })
    }

    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        self.memory.raw(statement)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Runs the whole behaviour suite of a kind over its driver on paper.
///
/// # Panics
/// After the last case, when memory failed one of them, or when no case ran.
pub async fn suite(kind: &'static str, paper: Arc<dyn Driver>, transcript: Transcript, rounds: usize) -> Result<Found> {
    let driver = Arc::new(Judged::new(paper, transcript).await?);
    let setup = DriverSetup { rounds, ..DriverSetup::new(kind, driver.clone()) };
    let (mut ran, mut failed) = (0, Vec::new());
    for case in cases().into_iter().filter(|case| case.applies_to(kind)) {
        ran += 1;
        if let Err(why) = case.run(setup.clone()).await {
            failed.push(format!("{}: {why}", case.name));
        }
    }
    assert!(failed.is_empty(), "{} of {ran} cases failed:\n{}", failed.len(), failed.join("\n\n"));
    assert!(ran > 0, "no case applies to `{kind}`");
    Ok(Found { cases: ran, ..driver.found() })
}
