use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use heavenbase::driver::{Driver, Ensured, WriteBatch, WriteMode, WriteReport};
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Id, LogicalType, Value};

use crate::check;
use crate::data::{self, Manners, Spec};
use crate::random::Random;
use crate::reference::Table;

/// What the suite runs on.
#[derive(Clone)]
pub struct DriverSetup {
    /// The driver, connected.
    pub driver: Arc<dyn Driver>,
    /// The kind whose capabilities are claimed: the table's row.
    pub kind: &'static str,
    /// A namespace that nobody else uses; each case appends to it.
    pub namespace: Arc<str>,
    /// What the backend openly does not keep.
    pub manners: Manners,
    /// Where the random data starts.
    pub seed: u64,
    /// How much of the repetitions of each case runs, in percent.
    pub rounds: usize,
    /// Whether cases of many thousand rows run too.
    pub large: bool,
}

impl DriverSetup {
    /// A driver that keeps everything, with a namespace of its own and the run's seed.
    pub fn new(kind: &'static str, driver: Arc<dyn Driver>) -> Self {
        DriverSetup {
            driver,
            kind,
            namespace: namespace().into(),
            manners: Manners::default(),
            seed: crate::random::seed(),
            rounds: 100,
            large: std::env::var_os("HEAVENBASE_TEST_LARGE").is_some(),
        }
    }
}

impl std::fmt::Debug for DriverSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DriverSetup")
            .field("kind", &self.kind)
            .field("namespace", &self.namespace)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// A name that no other run has used: tests on a shared server must not meet.
pub fn namespace() -> String {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    format!("t{:x}x{:x}x{count:x}", std::process::id(), nanos % 0xffff_ffff)
}

/// Why a case failed.
#[derive(Debug)]
pub struct Failure(pub String);

impl From<heavenbase::Error> for Failure {
    fn from(error: heavenbase::Error) -> Self {
        Failure(format!("the driver answered with an error: {error:?}"))
    }
}

/// How a case ends.
pub type Outcome<T = ()> = Result<T, Failure>;

/// What a case works with: the driver, its own random stream, the parts it made.
pub struct Context {
    /// The driver's setup.
    pub setup: DriverSetup,
    random: Mutex<Random>,
    made: Mutex<Vec<Arc<Part>>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.setup.fmt(f)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(super) fn new(mut setup: DriverSetup, case: &str) -> Self {
        setup.namespace = namespace().into();
        Context { random: Mutex::new(Random::named(setup.seed, case)), setup, made: Mutex::default() }
    }

    /// The driver.
    pub fn driver(&self) -> &dyn Driver {
        &*self.setup.driver
    }

    /// A random stream of its own for each caller.
    pub fn random(&self) -> Random {
        Random::new(locked(&self.random).next())
    }

    /// How often a check of this weight is repeated: `HEAVENBASE_TEST_ROUNDS` percent of what the driver's setup says.
    pub fn rounds(&self, usual: usize) -> usize {
        let percent = crate::running::rounds();
        (usual * percent * self.setup.rounds / 10_000).max(1)
    }

    /// A column of every sort that the kind stores, or evenly spread ones of them where a part may not have so many.
    pub fn some_of_every_sort(&self) -> Vec<Spec> {
        let all = data::specs_of(self.setup.kind, None);
        let step = all.len().div_ceil(self.setup.manners.most_columns).max(1);
        all.into_iter().step_by(step).collect()
    }

    /// A part over the driver for an entity, not yet ensured.
    ///
    /// # Errors
    /// When the schema cannot be laid out.
    pub fn lay_out(&self, entity: EntitySchema, namespace: &Arc<str>) -> Outcome<Arc<Part>> {
        let binding = Binding { name: "main", kind: self.setup.kind, driver: self.setup.driver.clone() };
        let routing = Routing::new(Box::leak(Box::new(entity)), namespace, "main", &[binding])?;
        Ok(routing.parts[0].clone())
    }

    /// Ensures a part, and remembers to drop it.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn ensure(&self, part: &Arc<Part>) -> heavenbase::Result<Ensured> {
        let made = self.driver().ensure(part).await?;
        locked(&self.made).push(part.clone());
        Ok(made)
    }

    /// A new empty part with these fields.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn part(&self, name: &str, specs: &[Spec]) -> Outcome<Arc<Part>> {
        let part = self.lay_out(Spec::entity(name, specs), &self.setup.namespace)?;
        let made = self.ensure(&part).await?;
        check!(made.created, "ensure of a part that was not there says `created: false`");
        Ok(part)
    }

    /// Drops what [`ensure`](Context::ensure) made.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn drop_all(&self) -> Outcome {
        let made = std::mem::take(&mut *locked(&self.made));
        for part in made {
            self.driver().drop_part(&part).await?;
        }
        Ok(())
    }

    /// A random value for a column; null now and then where that is allowed.
    pub fn value(&self, random: &mut Random, part: &Part, column: usize) -> Value {
        let column = &part.columns[column];
        if column.nullable && random.chance(20) {
            return Value::Null;
        }
        data::value(random, &column.logical, column.metric, self.setup.manners)
    }

    /// A batch of random rows with these ids, all columns given.
    pub fn batch(&self, random: &mut Random, part: &Part, mode: WriteMode, version: i64, ids: Vec<Id>) -> WriteBatch {
        let columns: Vec<usize> = if mode == WriteMode::Delete { Vec::new() } else { (0..part.columns.len()).collect() };
        let values = ids.iter().flat_map(|_| columns.clone()).map(|column| self.value(random, part, column)).collect();
        WriteBatch { mode, version, ids, columns, values, expected: Vec::new() }
    }

    /// Writes a batch to the driver and to the table, in pieces that the driver takes; both must agree.
    ///
    /// # Errors
    /// When they do not, or the driver fails.
    pub async fn write(&self, part: &Arc<Part>, table: &mut Table, batch: WriteBatch) -> Outcome<WriteReport> {
        let most = self.driver().description().max_batch.max(1);
        let mut whole = WriteReport::default();
        for (number, from) in (0..batch.len()).step_by(most).enumerate() {
            let to = (from + most).min(batch.len());
            let width = batch.columns.len();
            let piece = WriteBatch {
                ids: batch.ids[from..to].to_vec(),
                columns: batch.columns.clone(),
                values: batch.values[from * width..to * width].to_vec(),
                expected: batch.expected.get(from..to).unwrap_or_default().to_vec(),
                ..batch
            };
            let expected = table.write(part, &piece);
            let found = self.driver().write(part, Arc::new(piece)).await;
            match (expected, found) {
                (Ok(expected), Ok(mut found)) => {
                    found.stale.sort_unstable();
                    found.missing.sort_unstable();
                    check!(expected == found, "{:?} of {} rows reports {found:?}, expected {expected:?}", batch.mode, to - from);
                    whole.stale.extend(found.stale.iter().map(|(at, version)| (at + number * most, *version)));
                    whole.missing.extend(found.missing.iter().map(|at| at + number * most));
                }
                (Err(expected), Err(found)) => {
                    check!(expected == found.kind(), "{:?} should fail with {expected:?}, but: {found:?}", batch.mode);
                    check!(!found.message().is_empty(), "an error without a message");
                }
                (Ok(_), Err(found)) => return Err(Failure(format!("{:?} should work, but: {found:?}", batch.mode))),
                (Err(expected), Ok(found)) => {
                    return Err(Failure(format!("{:?} should fail with {expected:?}, but reports {found:?}", batch.mode)));
                }
            }
        }
        self.driver().refresh(part).await?;
        Ok(whole)
    }

    /// A part with these fields and so many random rows, and the same rows as a table.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn filled(&self, name: &str, specs: &[Spec], rows: usize) -> Outcome<(Arc<Part>, Table)> {
        let part = self.part(name, specs).await?;
        let mut random = self.random();
        let mut table = Table::default();
        let mut ids: Vec<Id> = (0..rows).map(|number| data::id(&mut random, number)).collect();
        random.shuffle(&mut ids);
        // Several batches of different versions, some of which replace rows.
        let half = rows / 2;
        let again: Vec<Id> = ids[..half].iter().step_by(3).cloned().collect();
        for (version, (mode, ids)) in
            [(WriteMode::Insert, ids[..half].to_vec()), (WriteMode::Upsert, ids[half..].to_vec()), (WriteMode::Upsert, again)]
                .into_iter()
                .enumerate()
        {
            let batch = self.batch(&mut random, &part, mode, 10 + version as i64, ids);
            self.write(&part, &mut table, batch).await?;
        }
        Ok((part, table))
    }
}

/// A part's columns, for messages.
pub fn describe(part: &Part) -> String {
    part.columns.iter().fold(String::new(), |mut text, column| {
        let name = match column.logical {
            LogicalType::Category(_) => "category".to_owned(),
            other => other.to_string(),
        };
        let _ = write!(text, "{}: {name}{} as {}, ", column.name, if column.nullable { "?" } else { "" }, column.placement);
        text
    })
}
