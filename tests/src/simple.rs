//! A driver that is the reference itself, and ways to break it: what the suite is tested with.
//!
//! [`Simple::new`] must pass every case. Each [`Bug`] is one mistake that real drivers make; with it some case must fail.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heavenbase::driver::{
    Aggregate, Description, Driver, Ensured, Group, Page, PageStream, PageVec, Pushdown, Reply, SubQuery, WriteBatch, WriteMode,
    WriteReport,
};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Naming, Part};
use heavenbase::types::{Id, LogicalType, Timestamp, Value};
use heavenbase::{Error, ErrorKind, Result};

use crate::reference::{Expected, Row, Table, aggregate, near, page};

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// One mistake that real drivers make.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[$doc])* $name,)* }

        impl Bug {
            /// Every bug.
            pub const ALL: &'static [Bug] = &[$(Bug::$name),*];
        }
    };
}

bugs! {
    /// `ne` as SQL has it: null rows do not match.
    NeSkipsNull;
    /// `!` as SQL has it: null rows match neither side.
    NotSkipsNull;
    /// `not_in` skips null rows.
    NotInSkipsNull;
    /// A null among the members of `in` is ignored.
    InIgnoresNull;
    /// `le` and `ge` forget the end.
    OpenEnds;
    /// `icontains` that only knows the case it is given.
    IContainsExact;
    /// `like` that does not know the escape.
    LikeWithoutEscape;
    /// `starts_with` as `contains`.
    PrefixAnywhere;
    /// `phrase` as `matches`.
    PhraseAsMatches;
    /// `has_all([])` matches nothing.
    HasAllOfNothing;
    /// `has_any` as `has_all`.
    HasAnyAsAll;
    /// Nulls first.
    NullsFirst;
    /// Ties of an order by id descending.
    TiesReversed;
    /// `descending` ignored.
    AlwaysAscending;
    /// The position itself comes again on the next page.
    AfterIncluded;
    /// The keyset position knows only the id.
    AfterByIdOnly;
    /// Offset after limit.
    OffsetAfterLimit;
    /// A limit of 0 taken for none.
    ZeroIsNoLimit;
    /// Answers cut at 100 rows.
    CutAtHundred;
    /// The set of ids ignored.
    IdsIgnored;
    /// Columns always in the part's order.
    ColumnsInPartOrder;
    /// The `k` nearest first, filtered afterwards.
    NearThenFilter;
    /// The distance instead of its negative.
    ScoreNegated;
    /// The search's ties by id descending.
    NearTiesReversed;
    /// An estimate one below the truth.
    EstimatesTooLittle;
    /// Every version wins.
    NoGuard;
    /// An equal version wins.
    EqualVersionWins;
    /// `expected` ignored.
    ExpectedIgnored;
    /// A patch makes the row it does not find.
    PatchCreates;
    /// A patch clears the columns it does not name.
    PatchClears;
    /// An upsert keeps old values where the new are null.
    UpsertMerges;
    /// An insert replaces.
    InsertReplaces;
    /// A batch that fails leaves the rows before the failure.
    HalfBatch;
    /// A delete does not say what it missed.
    DeleteSilent;
    /// A patch leaves the version.
    PatchKeepsVersion;
    /// Unique ignored.
    UniqueIgnored;
    /// Two nulls violate unique.
    UniqueNulls;
    /// Fetch in id order.
    FetchSorted;
    /// Fetch gives null rows for absent ids.
    FetchInvents;
    /// Empty text becomes null.
    EmptyIsNull;
    /// Text trimmed.
    Trimmed;
    /// Text cut at 255 characters.
    CutText;
    /// Integers through a float.
    IntAsFloat;
    /// Floats through 32 bits.
    ShortFloat;
    /// `-0.0` loses its sign.
    PositiveZero;
    /// Timestamps in milliseconds.
    Millis;
    /// Lists as sets.
    ListDeduplicated;
    /// An empty list becomes null.
    EmptyListIsNull;
    /// JSON null becomes null.
    JsonNullIsNull;
    /// Whole floats in JSON become integers.
    JsonFloatsToInts;
    /// Ids in lower case.
    IdsFolded;
    /// Namespaces ignored.
    OneNamespace;
    /// Drop drops everything.
    DropsAll;
    /// A second ensure empties the part.
    EnsureTruncates;
    /// Any schema is welcome.
    NoMismatch;
    /// Default of a new column not filled in.
    NoDefault;
    /// Count of a field counts nulls.
    CountsNulls;
    /// Integer sums wrap.
    SumWraps;
    /// The sum over nothing is 0.
    EmptySumIsZero;
    /// The null group is left out.
    NoNullGroup;
    /// The filter of an aggregation ignored.
    AggregatesAll;
    /// Takes limit although a remainder is left.
    EarlyLimit;
    /// Loses what it does not take.
    DropsRemainder;
}

#[derive(Default)]
struct Stored {
    shape: Vec<String>,
    owner: String,
    table: Table,
}

/// The reference as a driver, with a bug or none.
pub struct Simple {
    description: Description,
    bug: Option<Bug>,
    partial: bool,
    parts: Mutex<BTreeMap<String, Stored>>,
}

impl std::fmt::Debug for Simple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simple({:?})", self.bug)
    }
}

impl Simple {
    /// The right one. Stands for any kind.
    pub fn new(kind: &'static str) -> Self {
        let description = Description {
            kind,
            engine: "the reference".into(),
            embedded: true,
            transactional: true,
            naming: Naming::QUOTED,
            max_ids: 1000,
            max_batch: 500,
            max_k: 10_000,
        };
        Simple { description, bug: None, partial: false, parts: Mutex::default() }
    }

    /// A broken one.
    #[must_use]
    pub fn with_bug(self, bug: Bug) -> Self {
        Simple { bug: Some(bug), ..self }
    }

    /// One that leaves every Or and Not to the caller.
    #[must_use]
    pub fn partial(self) -> Self {
        Simple { partial: true, ..self }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, part: &Part) -> String {
        if self.has(Bug::OneNamespace) { part.entity.name.to_owned() } else { part.table.clone() }
    }

    fn with<T>(&self, part: &Part, act: impl FnOnce(&mut Stored) -> Result<T>) -> Result<T> {
        match self.lock().get_mut(&self.key(part)) {
            Some(stored) => act(stored),
            None => Err(Error::new(ErrorKind::SchemaMismatch, "the part is not there: ensure it first")),
        }
    }

    fn ensure_now(&self, part: &Part) -> Result<Ensured> {
        let shape: Vec<String> = part.columns.iter().map(|c| format!("{} {} {} {}", c.name, c.logical, c.nullable, c.placement)).collect();
        let owner = format!("{} {}", part.namespace, part.entity.name);
        let mut parts = self.lock();
        let Some(stored) = parts.get_mut(&self.key(part)) else {
            parts.insert(self.key(part), Stored { shape, owner, table: Table::default() });
            return Ok(Ensured { created: true, ..Ensured::default() });
        };
        if self.has(Bug::EnsureTruncates) {
            stored.table = Table::default();
        }
        let mismatch = |what: &str| Err(Error::new(ErrorKind::SchemaMismatch, format!("what is stored differs: {what}")));
        if !self.has(Bug::NoMismatch) && !self.has(Bug::OneNamespace) {
            if stored.owner != owner {
                return mismatch("it belongs to another entity");
            }
            if let Some(gone) = stored.shape.iter().find(|column| !shape.contains(column)) {
                return mismatch(gone);
            }
        }
        let mut added = Vec::new();
        let mut rows: Vec<Row> = stored.table.rows.values().cloned().collect();
        rows.iter_mut().for_each(|row| row.values = vec![Value::Null; part.columns.len()]);
        for (position, column) in part.columns.iter().enumerate() {
            match stored.shape.iter().position(|old| *old == shape[position]) {
                Some(before) => rows.iter_mut().for_each(|row| row.values[position] = stored.table.rows[&row.id].values[before].clone()),
                None if !column.nullable && column.default.is_none() && !self.has(Bug::NoMismatch) => {
                    return mismatch("a new field without a default");
                }
                None => {
                    added.push(column.name.to_owned());
                    if let (Some(default), false) = (column.default, self.has(Bug::NoDefault)) {
                        rows.iter_mut().for_each(|row| row.values[position] = default());
                    }
                }
            }
        }
        stored.shape = shape;
        stored.table.rows = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        Ok(Ensured { added, ..Ensured::default() })
    }

    fn write_now(&self, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
        let mut batch = batch.clone();
        let mut part = part.clone();
        let width = batch.columns.len();
        for (at, value) in batch.values.iter_mut().enumerate() {
            *value = self.stored_value(&part.columns[batch.columns[at % width]].logical, value.clone());
        }
        if self.has(Bug::IdsFolded) {
            batch.ids = batch.ids.iter().map(|id| Id::from(id.to_ascii_lowercase())).collect();
        }
        if self.has(Bug::ExpectedIgnored) {
            batch.expected.clear();
        }
        if self.has(Bug::UniqueIgnored) {
            part.columns.iter_mut().for_each(|column| column.unique = false);
            part.entity = Box::leak(Box::new(heavenbase::schema::EntitySchema { uniques: &[], ..*part.entity }));
        }
        let batch = batch;
        self.with(&part, |stored| {
            let table = &mut stored.table;
            let before = table.clone();
            let old = |id: &Id| before.rows.get(id.as_str());
            let mut adjusted = batch.clone();
            match self.bug {
                Some(Bug::InsertReplaces) if batch.mode == WriteMode::Insert => adjusted.mode = WriteMode::Upsert,
                Some(Bug::PatchCreates) if batch.mode == WriteMode::Patch && batch.ids.iter().any(|id| old(id).is_none()) => {
                    for id in batch.ids.iter().filter(|id| old(id).is_none()) {
                        let row = Row { id: id.as_str().into(), version: i64::MIN, values: vec![Value::Null; part.columns.len()] };
                        table.rows.insert(id.as_str().into(), row);
                    }
                    adjusted.expected.clear();
                }
                Some(Bug::NoGuard | Bug::EqualVersionWins) => {
                    for id in &batch.ids {
                        if let Some(row) = table.rows.get_mut(id.as_str()) {
                            let lower = self.has(Bug::NoGuard) || row.version == batch.version;
                            row.version -= if lower { 1_000 } else { 0 };
                        }
                    }
                }
                Some(Bug::HalfBatch) => {
                    let mut written = 0;
                    for row in 0..batch.len() {
                        let one = WriteBatch {
                            ids: vec![batch.ids[row].clone()],
                            values: batch.row(row).to_vec(),
                            expected: batch.expected.get(row).copied().into_iter().collect(),
                            ..batch.clone()
                        };
                        if table.write(&part, &one).is_err() {
                            break;
                        }
                        written += 1;
                    }
                    if written == batch.len() {
                        *table = before.clone();
                    }
                }
                _ => {}
            }
            if self.has(Bug::UniqueNulls) && batch.mode != WriteMode::Delete {
                for group in part.unique_groups() {
                    let null = |row: usize| {
                        group.iter().all(|c| batch.columns.iter().position(|b| b == c).is_some_and(|at| batch.row(row)[at].is_null()))
                    };
                    if (0..batch.len()).filter(|row| null(*row)).count() > 1 {
                        return Err(Error::new(ErrorKind::UniqueViolation, "two nulls"));
                    }
                }
            }
            let mut report = table.write(&part, &adjusted).map_err(|kind| Error::new(kind, "refused, as it should be"))?;
            for (position, id) in batch.ids.iter().enumerate() {
                let Some(row) = table.rows.get_mut(id.as_str()) else { continue };
                let Some(earlier) = old(id) else { continue };
                if row.version != batch.version || report.stale.iter().any(|(at, _)| *at == position) {
                    continue;
                }
                match (self.bug, batch.mode) {
                    (Some(Bug::PatchClears), WriteMode::Patch) => {
                        (0..part.columns.len()).filter(|c| !batch.columns.contains(c)).for_each(|c| row.values[c] = Value::Null);
                    }
                    (Some(Bug::PatchKeepsVersion), WriteMode::Patch) => row.version = earlier.version,
                    (Some(Bug::UpsertMerges), WriteMode::Upsert) => {
                        for (value, old) in row.values.iter_mut().zip(&earlier.values).filter(|(value, _)| value.is_null()) {
                            *value = old.clone();
                        }
                    }
                    _ => {}
                }
            }
            if self.has(Bug::DeleteSilent) && batch.mode == WriteMode::Delete {
                report.missing.clear();
            }
            Ok(report)
        })
    }

    fn stored_value(&self, logical: &LogicalType, value: Value) -> Value {
        match (self.bug, value) {
            (Some(Bug::EmptyIsNull), Value::Text(text)) if text.is_empty() => Value::Null,
            (Some(Bug::Trimmed), Value::Text(text)) => Value::Text(text.trim_end().to_owned()),
            (Some(Bug::CutText), Value::Text(text)) => Value::Text(text.chars().take(255).collect()),
            (Some(Bug::IntAsFloat), Value::Int(n)) => Value::Int((n as f64) as i64),
            (Some(Bug::ShortFloat), Value::Float(n)) if n.abs() < 1e30 => Value::Float(f64::from(n as f32)),
            (Some(Bug::PositiveZero), Value::Float(n)) => Value::Float(n + 0.0),
            (Some(Bug::Millis), Value::Timestamp(t)) => {
                Timestamp::from_micros(t.as_micros().div_euclid(1000) * 1000).map_or(Value::Timestamp(t), Value::Timestamp)
            }
            (Some(Bug::ListDeduplicated), Value::List(items)) => {
                let mut kept: Vec<Value> = Vec::new();
                for item in items {
                    if !kept.contains(&item) {
                        kept.push(item);
                    }
                }
                Value::List(kept.into())
            }
            (Some(Bug::EmptyListIsNull), Value::List(items)) if items.is_empty() => Value::Null,
            (Some(Bug::JsonNullIsNull), Value::Json(json)) if json.is_null() => Value::Null,
            (Some(Bug::JsonFloatsToInts), Value::Json(json)) if *logical == LogicalType::Json => match json.as_f64() {
                Some(n) if json.is_f64() && n.fract() == 0.0 && n.abs() < 1e15 => Value::Json(Box::new((n as i64).into())),
                _ => Value::Json(json),
            },
            (_, value) => value,
        }
    }

    /// The filter as the bug has it.
    fn broken(&self, filter: &Filter) -> Filter {
        let parts = |parts: &[Filter]| parts.iter().map(|part| self.broken(part)).collect();
        match filter {
            Filter::And(inner) => Filter::And(parts(inner)),
            Filter::Or(inner) => Filter::Or(parts(inner)),
            Filter::Not(inner) => {
                let negated = Filter::Not(Box::new(self.broken(inner)));
                match &**inner {
                    Filter::Test(test) if self.has(Bug::NotSkipsNull) => negated.and(self.not_null(test)),
                    _ => negated,
                }
            }
            Filter::Test(test) => self.broken_test(test),
        }
    }

    fn not_null(&self, test: &Test) -> Filter {
        Test { condition: Condition::IsSome, ..test.clone() }.into()
    }

    fn broken_test(&self, test: &Test) -> Filter {
        let with = |condition: Condition| Filter::from(Test { condition, ..test.clone() });
        match (self.bug, test.condition.clone()) {
            (Some(Bug::NeSkipsNull), Condition::Ne(value)) if !value.is_null() => Filter::from(test.clone()).and(self.not_null(test)),
            (Some(Bug::NotInSkipsNull), Condition::NotIn(_)) => Filter::from(test.clone()).and(self.not_null(test)),
            (Some(Bug::InIgnoresNull), Condition::In(mut members)) => {
                members.retain(|member| !member.is_null());
                with(Condition::In(members))
            }
            (Some(Bug::OpenEnds), Condition::Le(value)) => with(Condition::Lt(value)),
            (Some(Bug::OpenEnds), Condition::Ge(value)) => with(Condition::Gt(value)),
            (Some(Bug::IContainsExact), Condition::IContains(text)) => with(Condition::Contains(text)),
            (Some(Bug::LikeWithoutEscape), Condition::Like(pattern)) => with(Condition::Like(pattern.replace('\\', ""))),
            (Some(Bug::PrefixAnywhere), Condition::StartsWith(text)) => with(Condition::Contains(text)),
            (Some(Bug::PhraseAsMatches), Condition::Phrase(text)) => with(Condition::Matches(text)),
            (Some(Bug::HasAllOfNothing), Condition::HasAll(items)) if items.is_empty() => Filter::none(),
            (Some(Bug::HasAnyAsAll), Condition::HasAny(items)) => with(Condition::HasAll(items)),
            _ => test.clone().into(),
        }
    }

    fn rows(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let mut query = query.clone();
        query.filter = self.broken(&query.filter);
        if self.has(Bug::IdsIgnored) {
            query.ids = None;
        }
        if self.has(Bug::AlwaysAscending) {
            query.order.iter_mut().for_each(|key| key.descending = false);
        }
        if self.has(Bug::AfterByIdOnly) {
            query.after.iter_mut().for_each(|after| after.keys.clear());
        }
        if self.has(Bug::ZeroIsNoLimit) && query.limit == Some(0) {
            query.limit = None;
        }
        if self.has(Bug::ColumnsInPartOrder) {
            query.columns.sort_unstable();
        }
        self.with(part, |stored| {
            let mut found = Page::new(query.columns.len());
            let push = |found: &mut Page, row: &Row| {
                found.push(Id::from(row.id.as_str()), row.version, query.columns.iter().map(|c| row.values[*c].clone()));
            };
            let mut rows = stored.table.matching(part, &query.filter, query.ids.as_deref());
            if let Some(search) = &query.near {
                if self.has(Bug::NearThenFilter) {
                    rows = stored.table.rows.values().collect();
                }
                let all = rows.iter().map(|row| (row.id.as_str(), &row.values[search.column]));
                let mut hits = near(search.metric, &search.vector, search.k, all);
                if self.has(Bug::NearThenFilter) {
                    hits.retain(|(id, _)| stored.table.rows[*id].holds(part, &query.filter));
                }
                if self.has(Bug::NearTiesReversed) {
                    hits.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(a.0)));
                }
                for (id, score) in hits {
                    push(&mut found, &stored.table.rows[id]);
                    found.scores.push(if self.has(Bug::ScoreNegated) { -score } else { score });
                }
                return Ok(found);
            }
            let mut rows = match self.bug {
                Some(Bug::AfterIncluded) => {
                    let last = query.after.as_ref().and_then(|after| rows.iter().find(|row| row.id == after.id.as_str()).copied());
                    let mut again = page(rows, |row: &&Row| *row, &query);
                    if let (Some(last), Some(limit)) = (last, query.limit.filter(|limit| *limit > 0)) {
                        again.insert(0, last);
                        again.truncate(limit);
                    }
                    again
                }
                Some(Bug::OffsetAfterLimit) => {
                    let cut = SubQuery { offset: 0, ..query.clone() };
                    page(rows, |row: &&Row| *row, &cut).into_iter().skip(query.offset).collect()
                }
                Some(Bug::TiesReversed) if !query.order.is_empty() && query.after.is_none() => {
                    rows.reverse();
                    let keys = query.order.clone();
                    rows.sort_by(|a, b| {
                        let by_key = keys.iter().map(|key| crate::reference::sort_order(&a.key(key), &b.key(key), key.descending));
                        by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
                    });
                    rows.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)).collect()
                }
                _ => page(rows, |row: &&Row| *row, &query),
            };
            if self.has(Bug::NullsFirst)
                && let Some(key) = query.order.first()
            {
                let (mut nulls, others): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.key(key).is_null());
                nulls.extend(others);
                rows = nulls;
            }
            if self.has(Bug::CutAtHundred) {
                rows.truncate(100);
            }
            rows.into_iter().for_each(|row| push(&mut found, row));
            Ok(found)
        })
    }

    fn aggregate_now(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let filter = if self.has(Bug::AggregatesAll) { Filter::all() } else { query.filter.clone() };
        let wanted = Aggregate { filter, ..query.clone() };
        self.with(part, |stored| {
            let mut groups = Vec::new();
            for (keys, measures) in aggregate(&stored.table, part, &wanted) {
                if self.has(Bug::NoNullGroup) && keys.iter().any(Value::is_null) {
                    continue;
                }
                let mut values = Vec::new();
                for (measure, spec) in measures.into_iter().zip(&query.measures) {
                    values.push(match measure {
                        Expected::Exactly(Value::Int(_))
                            if self.has(Bug::CountsNulls) && spec.function == heavenbase::driver::AggregateFunction::Count =>
                        {
                            let rows = stored.table.matching(part, &wanted.filter, wanted.ids.as_deref());
                            Value::Int(
                                rows.into_iter()
                                    .filter(|row| wanted.keys.iter().zip(&keys).all(|(c, k)| crate::reference::equal(&row.values[*c], k)))
                                    .count() as i64,
                            )
                        }
                        Expected::Exactly(Value::Null)
                            if self.has(Bug::EmptySumIsZero) && spec.function == heavenbase::driver::AggregateFunction::Sum =>
                        {
                            Value::Int(0)
                        }
                        Expected::Exactly(value) | Expected::OrOverflow(value) => value,
                        Expected::About(number, _) => Value::Float(number),
                        Expected::Overflow if self.has(Bug::SumWraps) => Value::Int(0),
                        Expected::Overflow | Expected::Anything => {
                            return Err(Error::new(ErrorKind::LimitExceeded, "the sum does not fit"));
                        }
                    });
                }
                groups.push(Group { keys, measures: values });
            }
            Ok(groups)
        })
    }
}

impl Driver for Simple {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::ready(self.ensure_now(part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::ready(self.write_now(part, &batch))
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::ready(self.with(part, |stored| {
            let mut found = Page::new(columns.len());
            let mut ids = ids.to_vec();
            if self.has(Bug::FetchSorted) {
                ids.sort();
            }
            for id in ids {
                match stored.table.rows.get(id.as_str()) {
                    Some(row) => found.push(id, row.version, columns.iter().map(|c| row.values[*c].clone())),
                    None if self.has(Bug::FetchInvents) => found.push(id, 0, columns.iter().map(|_| Value::Null)),
                    None => {}
                }
            }
            Ok(found)
        }))
    }

    fn plan(&self, _: &Part, wanted: &SubQuery) -> Pushdown {
        let takes = |filter: &Filter| {
            !(self.partial || self.has(Bug::EarlyLimit) || self.has(Bug::DropsRemainder)) || matches!(filter, Filter::Test(_))
        };
        let mut plan = Pushdown::of_filter(wanted, &takes, "the reference");
        if self.has(Bug::EarlyLimit) {
            (plan.order, plan.limit, plan.near) = (true, true, true);
        }
        if self.has(Bug::DropsRemainder) {
            plan = Pushdown { taken: plan.taken, ..Pushdown::everything(wanted, "the reference") };
        }
        plan
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let page = self.rows(&part, &query)?;
        Ok(Box::new(PageVec::new(vec![page])))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, _: usize) -> Reply<'a, Option<u64>> {
        let count = self.with(part, |stored| Ok(stored.table.matching(part, filter, None).len() as u64));
        let less = u64::from(self.has(Bug::EstimatesTooLittle));
        Reply::ready(count.map(|count| Some(count.saturating_sub(less))))
    }

    fn plans_aggregate(&self, _: &Part, _: &Aggregate) -> bool {
        true
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::ready(self.aggregate_now(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        let mut parts = self.lock();
        let there = parts.remove(&self.key(part)).is_some();
        if self.has(Bug::DropsAll) {
            parts.clear();
        }
        Reply::ready(Ok(there))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::ready(Ok(()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
