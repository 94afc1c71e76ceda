//! Drivers on paper: no server, only the statements that one would be sent, with the values bound to them. For judges of
//! backends that no test machine has a server of; `tests/src/judged` runs the behaviour suite over it.
//!
//! A driver takes part by talking to a [`Session`] and not to its client: its `on_paper(transcript)` builds it over [`Paper`],
//! with a function that says what a server would answer in a [`Scene`], as far as further statements hang on it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::sql::Statement;
use super::sql::session::{Answer, Phase, Running, Session, Sessions};
use crate::driver::Manifest;
use crate::schema::Part;
use crate::types::{Id, Value};

/// What the imagined server finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// Nothing: no table, no manifest, no row.
    #[default]
    Nothing,
    /// What is asked for: the part is there as it is now, and each row with a version below the batch's.
    Present,
    /// As `Present`, but the part has no column yet, and each row has a version above the batch's.
    Stale,
}

/// What the call is about whose statements are written down.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The part.
    pub part: Option<Arc<Part>>,
    /// The rows asked for or written.
    pub ids: Vec<Id>,
    /// The version of the batch.
    pub version: i64,
    /// What there is.
    pub answers: Answers,
}

impl Scene {
    /// The rows that are there, each with its version.
    pub fn rows(&self) -> Vec<(Id, i64)> {
        let version = match self.answers {
            Answers::Nothing => return Vec::new(),
            Answers::Present => self.version.saturating_sub(1),
            Answers::Stale => self.version.saturating_add(1),
        };
        self.ids.iter().map(|id| (id.clone(), version)).collect()
    }
}

/// All that a driver on paper has sent. Clones are the same sheet.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Sheet>>);

#[derive(Debug, Default)]
struct Sheet {
    scene: Scene,
    written: Vec<Statement>,
}

impl Transcript {
    /// An empty sheet.
    pub fn new() -> Self {
        Transcript::default()
    }

    /// Says what the next call is about.
    pub fn set(&self, scene: Scene) {
        self.0.lock().scene = scene;
    }

    /// Takes away what was written down, in order.
    pub fn take(&self) -> Vec<Statement> {
        std::mem::take(&mut self.0.lock().written)
    }

    /// What there is.
    pub fn scene(&self) -> Scene {
        self.0.lock().scene.clone()
    }

    /// Writes a statement down, and says what there is.
    pub fn write(&self, statement: &Statement) -> Scene {
        let mut sheet = self.0.lock();
        sheet.written.push(statement.clone());
        sheet.scene.clone()
    }
}

/// What a server would answer, where a driver's next statement hangs on it. Nothing for all else.
pub type Imagined = fn(&Scene, &Statement) -> Answer;

/// The manifest of a part before its last columns were added: without those that can be.
pub fn earlier(part: &Part) -> Manifest {
    let whole = Manifest::of(part);
    let added = |name: &str| part.columns.iter().any(|c| c.name == name && !c.unique && (c.nullable || c.default.is_some()));
    Manifest { columns: whole.columns.into_iter().filter(|column| !added(&column.field)).collect(), ..whole }
}

/// Connections to a sheet of paper.
#[derive(Clone, Debug)]
pub struct Paper {
    transcript: Transcript,
    imagined: Imagined,
}

impl Paper {
    /// Connections that write on this sheet.
    pub fn new(transcript: Transcript, imagined: Imagined) -> Self {
        Paper { transcript, imagined }
    }
}

impl Sessions for Paper {
    fn session(&self, _: Phase) -> Running<'_, Box<dyn Session>> {
        let session: Box<dyn Session> = Box::new(self.clone());
        Box::pin(std::future::ready(Ok(session)))
    }
}

impl Session for Paper {
    fn run<'s>(&'s mut self, statement: &'s Statement, _: Phase) -> Running<'s, Answer> {
        let scene = self.transcript.write(statement);
        Box::pin(std::future::ready(Ok((self.imagined)(&scene, statement))))
    }

    /// Written down once: the text is the same for each row. What is imagined is asked for each, by its values.
    fn run_each<'s>(&'s mut self, text: &'s str, rows: Vec<Vec<Value>>, _: Phase) -> Running<'s, u64> {
        let mut changed = 0;
        for (at, values) in rows.into_iter().enumerate() {
            let statement = Statement { text: text.to_owned(), values };
            let scene = if at == 0 { self.transcript.write(&statement) } else { self.transcript.scene() };
            changed += (self.imagined)(&scene, &statement).changed;
        }
        Box::pin(std::future::ready(Ok(changed)))
    }
}
