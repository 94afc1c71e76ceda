//! Looking after what is stored: audit finds what does not belong together, repair mends what can be mended, rebuild
//! refills copies. By chunks, in constant memory.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Registered, Workspace};
use crate::driver::{IdLookup, Page, Position, SubQuery, WriteBatch, WriteMode};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Target;
use crate::query::{Entity, Layout, Writable};
use crate::schema::EntitySchema;
use crate::types::{Id, Value, canonical_key, equal};

/// Rows looked at together.
const CHUNK: usize = 2048;

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A backend has a part whose row the owner does not have.
    Orphan,
    /// A backend lacks its part of a row.
    MissingPart,
    /// A part is of another version than the owner's.
    VersionDisagrees,
    /// A copy differs from the truth.
    StaleCopy,
    /// Another row holds the same unique values.
    NotUnique,
    /// What is stored cannot be read.
    Unreadable,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Which row.
    pub id: Id,
    /// On which backend.
    pub backend: String,
    /// Which fields, where it is about fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Rows looked at on the owner.
    pub rows: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// How far a repair may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Remove rows whose parts are missing or of different versions: what cannot be put together again. Without it they
    /// are left, and reported.
    pub remove_torn_rows: bool,
}

/// What a repair did, or in a dry run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    /// Findings mended.
    pub mended: Vec<Finding>,
    /// Findings left: what only the application can decide.
    pub left: Vec<Finding>,
}

impl<L: Layout> Workspace<L> {
    /// Looks for orphans, missing parts, disagreeing versions, stale copies and broken uniqueness of `E`.
    ///
    /// # Errors
    /// What the backends say; [`ErrorKind::Unsupported`] for a table that exists already, which has no versions to compare.
    /// Rows that cannot be read are findings where the backend can name them.
    pub async fn audit<E: Entity<Layout = L>>(&self) -> Result<Audit> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("audit");
        let registered = self.kept(E::SCHEMA).map_err(named)?;
        audit(&registered).await.map_err(named)
    }

    /// Mends what an audit finds: removes orphans, refills copies; rows that are torn are removed only if asked.
    ///
    /// # Errors
    /// As [`audit`](Workspace::audit). Safe to repeat: a second repair finds nothing to mend.
    pub async fn repair<E: Writable + Entity<Layout = L>>(&self, how: Repair) -> Result<Repaired> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("repair");
        let registered = self.kept(E::SCHEMA).map_err(named)?;
        let target = &registered.target;
        let mut done = Repaired::default();
        for finding in audit(&registered).await.map_err(named)?.findings {
            let part = target.routing.parts.iter().position(|p| p.backend == finding.backend).unwrap_or(Target::OWNER);
            let only_copies = target.part(part).columns.iter().all(|c| c.copy);
            let mended = match finding.kind {
                FindingKind::Orphan => {
                    if !how.dry_run {
                        self.remove(target, part, &finding.id).await.map_err(named)?;
                    }
                    true
                }
                FindingKind::StaleCopy => {
                    if !how.dry_run {
                        self.refill(&registered, part, std::slice::from_ref(&finding.id)).await.map_err(named)?;
                    }
                    true
                }
                FindingKind::MissingPart | FindingKind::VersionDisagrees if part != Target::OWNER && only_copies => {
                    if !how.dry_run {
                        self.refill(&registered, part, std::slice::from_ref(&finding.id)).await.map_err(named)?;
                    }
                    true
                }
                FindingKind::MissingPart | FindingKind::VersionDisagrees if how.remove_torn_rows => {
                    if !how.dry_run {
                        self.delete::<E>(finding.id.clone()).await.map_err(named)?;
                    }
                    true
                }
                _ => false,
            };
            if mended { done.mended.push(finding) } else { done.left.push(finding) }
        }
        Ok(done)
    }

    /// Refills every copy of `E` on a backend from the truth; `progress` hears how many rows are done. Gives their number.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when the backend holds no copy; what the backends say.
    pub async fn rebuild<E: Writable + Entity<Layout = L>>(&self, backend: &str, mut progress: impl FnMut(u64) + Send) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("rebuild");
        let registered = self.registered(E::SCHEMA).map_err(named)?;
        let target = &registered.target;
        let part = target.routing.parts.iter().position(|p| p.backend == backend && p.columns.iter().any(|c| c.copy));
        let part = part.ok_or_else(|| {
            named(Error::new(ErrorKind::InvalidQuery, "the backend holds no copy of the entity's fields").with("backend", backend))
        })?;
        let (mut after, mut rows) = (None, 0);
        while let Some(page) = next_page(target, Target::OWNER, Vec::new(), &mut after).await.map_err(named)? {
            self.refill(&registered, part, &page.ids).await.map_err(named)?;
            rows += page.len() as u64;
            progress(rows);
        }
        Ok(rows)
    }

    /// The entity, when HeavenBase keeps its storage.
    fn kept(&self, entity: &'static EntitySchema) -> Result<Arc<Registered>> {
        if entity.existing.is_some() {
            let why = "a table that HeavenBase did not create has no versions and no other parts to compare it with: it is neither audited \
                       nor repaired";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        self.registered(entity)
    }

    async fn remove(&self, target: &Target, part: usize, id: &Id) -> Result<()> {
        let version = self.inner.clock.next();
        let batch = WriteBatch {
            mode: WriteMode::Delete,
            version,
            ids: vec![id.clone()],
            columns: Vec::new(),
            values: Vec::new(),
            expected: Vec::new(),
        };
        target.driver(part).write(target.part(part), Arc::new(batch)).await.map_err(|e| e.on_backend(target.part(part).backend)).map(drop)
    }

    /// Writes the copies of some rows again, with the owner's version.
    async fn refill(&self, registered: &Registered, part: usize, ids: &[Id]) -> Result<()> {
        let target = &registered.target;
        let held = target.part(part);
        let copies: Vec<usize> = (0..held.columns.len()).filter(|c| held.columns[*c].copy).collect();
        let whole = copies.len() == held.columns.len();
        let owner = fetch(target, Target::OWNER, ids, &[]).await?;
        for (row, id) in owner.ids.iter().enumerate() {
            let mut values = Vec::with_capacity(copies.len());
            for copy in &copies {
                values.push(truth(target, held.columns[*copy].field, id).await?);
            }
            // The version must be newer to get past the guard; it becomes the row's on every part.
            let version = self.inner.clock.next().max(owner.versions[row] + 1);
            let mode = if whole { WriteMode::Upsert } else { WriteMode::Patch };
            let batch = WriteBatch { mode, version, ids: vec![id.clone()], columns: copies.clone(), values, expected: Vec::new() };
            let touch = WriteBatch { mode: WriteMode::Patch, columns: Vec::new(), values: Vec::new(), ..batch.clone() };
            for other in (0..target.len()).filter(|p| *p != part) {
                target
                    .driver(other)
                    .write(target.part(other), Arc::new(touch.clone()))
                    .await
                    .map_err(|e| e.on_backend(target.part(other).backend))?;
            }
            target.driver(part).write(held, Arc::new(batch)).await.map_err(|e| e.on_backend(held.backend))?;
        }
        Ok(())
    }
}

/// The true value of a field of one row.
async fn truth(target: &Target, field: usize, id: &Id) -> Result<Value> {
    let (part, column) = target.locate(field, None).ok_or_else(|| Error::new(ErrorKind::Internal, "a field without a first placement"))?;
    let mut page = fetch(target, part, std::slice::from_ref(id), &[column]).await?;
    Ok(if page.is_empty() { Value::Null } else { page.row_mut(0)[0].take() })
}

async fn fetch(target: &Target, part: usize, ids: &[Id], columns: &[usize]) -> Result<Page> {
    let chunk = target.describe(part).max_ids.max(1);
    let mut all = Page::new(columns.len());
    for ids in ids.chunks(chunk) {
        all.append(target.driver(part).fetch(target.part(part), ids, columns).await.map_err(|e| e.on_backend(target.part(part).backend))?);
    }
    Ok(all)
}

/// The next rows of a part in id order.
async fn next_page(target: &Target, part: usize, columns: Vec<usize>, after: &mut Option<Id>) -> Result<Option<Page>> {
    let position = after.take().map(|id| Position { keys: Vec::new(), id });
    let query = SubQuery { columns, after: position, limit: Some(CHUNK), page_rows: CHUNK, ..SubQuery::default() };
    let blame = |e: Error| e.on_backend(target.part(part).backend);
    let mut stream = target.driver(part).open(target.part(part).clone(), Arc::new(query)).map_err(blame)?;
    let mut all: Option<Page> = None;
    while let Some(page) = stream.next_page().await.map_err(blame)? {
        match &mut all {
            None => all = Some(page),
            Some(all) => all.append(page),
        }
    }
    *after = all.as_ref().and_then(|p| p.ids.last().cloned());
    Ok(all)
}

async fn audit(registered: &Registered) -> Result<Audit> {
    let target = &registered.target;
    let mut report = Audit::default();
    let groups = target.part(Target::OWNER).unique_groups();
    let mut columns: Vec<usize> = groups.iter().flatten().copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let mut seen: Vec<HashSet<[u8; 16]>> = vec![HashSet::new(); groups.len()];
    let mut after = None;
    while let Some(page) = next_page(target, Target::OWNER, columns.clone(), &mut after).await? {
        report.rows += page.len() as u64;
        for (group, seen) in groups.iter().zip(&mut seen) {
            uniqueness(target, &page, group, &columns, seen, &mut report);
        }
        for part in 1..target.len() {
            compare_part(target, part, &page, &mut report).await?;
        }
    }
    for part in 1..target.len() {
        let mut after = None;
        while let Some(page) = next_page(target, part, Vec::new(), &mut after).await? {
            let owner = fetch(target, Target::OWNER, &page.ids, &[]).await?;
            let known = IdLookup::new(&owner.ids);
            let orphans = page.ids.iter().filter(|id| known.row(id).is_none());
            report.findings.extend(orphans.map(|id| finding(target, part, FindingKind::Orphan, id)));
        }
    }
    Ok(report)
}

fn finding(target: &Target, part: usize, kind: FindingKind, id: &Id) -> Finding {
    Finding { kind, id: id.clone(), backend: target.part(part).backend.to_owned(), fields: Vec::new() }
}

/// Sixteen bytes of digest a row and group are kept: the memory of this check alone grows with the rows.
fn uniqueness(target: &Target, page: &Page, group: &[usize], columns: &[usize], seen: &mut HashSet<[u8; 16]>, report: &mut Audit) {
    for row in 0..page.len() {
        let values = group.iter().filter_map(|c| columns.binary_search(c).ok()).map(|at| &page.row(row)[at]);
        let mut key = Vec::new();
        let mut null = false;
        values.for_each(|v| {
            null |= v.is_null();
            canonical_key(v, &mut key);
        });
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(&key).as_bytes()[..16]);
        if !null && !seen.insert(digest) {
            let fields = group.iter().map(|c| target.part(Target::OWNER).columns[*c].name.to_owned()).collect();
            report.findings.push(Finding { fields, ..finding(target, Target::OWNER, FindingKind::NotUnique, &page.ids[row]) });
        }
    }
}

/// One part against a page of the owner: presence, versions, copies.
async fn compare_part(target: &Target, part: usize, owner: &Page, report: &mut Audit) -> Result<()> {
    let held = target.part(part);
    let copies: Vec<usize> = (0..held.columns.len()).filter(|c| held.columns[*c].copy).collect();
    let page = fetch(target, part, &owner.ids, &copies).await?;
    let rows = IdLookup::new(&page.ids);
    for (at, id) in owner.ids.iter().enumerate() {
        let Some(row) = rows.row(id) else {
            report.findings.push(finding(target, part, FindingKind::MissingPart, id));
            continue;
        };
        if page.versions[row] != owner.versions[at] && !held.is_mapped() {
            report.findings.push(finding(target, part, FindingKind::VersionDisagrees, id));
            continue;
        }
    }
    for (position, copy) in copies.iter().enumerate() {
        let column = &held.columns[*copy];
        let Some((truth_part, truth_column)) = target.locate(column.field, None) else { continue };
        let truth = fetch(target, truth_part, &owner.ids, &[truth_column]).await?;
        let truths = IdLookup::new(&truth.ids);
        for (row, id) in page.ids.iter().enumerate() {
            let differs = truths.row(id).is_some_and(|t| !equal(&truth.row(t)[0], &page.row(row)[position]));
            let known = report.findings.iter().any(|f| f.id == *id && f.backend == held.backend);
            if differs && !known {
                let fields = vec![column.name.to_owned()];
                report.findings.push(Finding { fields, ..finding(target, part, FindingKind::StaleCopy, id) });
            }
        }
    }
    Ok(())
}
