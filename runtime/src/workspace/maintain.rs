//! Looking after what is stored: audit finds what does not belong together, repair mends what can be mended, rebuild makes
//! anew what follows from other fields. By chunks, in constant memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::audit::{Audit, Finding, FindingKind, Walk};
use super::chunks::next_page;
use super::refill::{Derived, Follows};
use super::{Registered, Workspace};
use crate::driver::{WriteBatch, WriteMode};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Target;
use crate::query::{Entity, Layout, Writable};
use crate::schema::EntitySchema;
use crate::types::Id;

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

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows looked at.
    pub rows: u64,
    /// How many there were at the start: others may write meanwhile.
    pub of: u64,
}

impl<L: Layout> Workspace<L> {
    /// Looks for orphans, missing parts, disagreeing versions, stale copies and embeddings, and broken uniqueness of `E`.
    ///
    /// # Errors
    /// What the backends say; [`ErrorKind::Unsupported`] for a table that exists already, which has no versions to compare.
    /// Rows that cannot be read are findings where the backend can name them.
    pub async fn audit<E: Entity<Layout = L>>(&self) -> Result<Audit> {
        let mut findings = Vec::new();
        let rows = self.audit_each::<E>(|finding| findings.push(finding)).await?;
        Ok(Audit { rows, findings })
    }

    /// As [`audit`](Workspace::audit), in constant memory however much is found: each finding is handed over as it comes.
    /// Gives the number of rows looked at.
    ///
    /// ```
    /// # use heavenbase::prelude::*;
    /// # #[derive(Layout)]
    /// # struct Shop { #[layout(default)] main: InMem, search: InMem }
    /// # #[derive(Entity)]
    /// # #[entity(layout = Shop)]
    /// # struct Product { object_id: Id, #[store(to = "main")] #[store(to = "search", copy)] title: String }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let ws = Workspace::open(Shop { main: InMem::new(), search: InMem::new() }).await?;
    /// # ws.register::<Product>().await?;
    /// let mut wrong = 0;
    /// let rows = ws.audit_each::<Product>(|finding| wrong += 1).await?;
    /// assert_eq!((rows, wrong), (0, 0));
    /// # Ok::<(), heavenbase::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`audit`](Workspace::audit).
    pub async fn audit_each<E: Entity<Layout = L>>(&self, mut found: impl FnMut(Finding) + Send) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("audit");
        let registered = self.kept(E::SCHEMA).map_err(named)?;
        let mut walk = Walk::new(&registered);
        while let Some(findings) = walk.next().await.map_err(named)? {
            findings.into_iter().for_each(&mut found);
        }
        Ok(walk.rows)
    }

    /// Mends what an audit finds: removes orphans, writes copies and embeddings again, and parts that hold nothing else; rows
    /// that are torn are removed only if asked.
    ///
    /// # Errors
    /// As [`audit`](Workspace::audit); what an embedder says. Safe to repeat: a second repair finds nothing to mend.
    pub async fn repair<E: Writable + Entity<Layout = L>>(&self, how: Repair) -> Result<Repaired> {
        let mut done = Repaired::default();
        self.repair_each::<E>(how, |finding, mended| if mended { done.mended.push(finding) } else { done.left.push(finding) }).await?;
        Ok(done)
    }

    /// As [`repair`](Workspace::repair), in constant memory however much is mended: each finding is handed over with whether
    /// it is mended, or in a dry run would be. Gives the number of rows looked at.
    ///
    /// # Errors
    /// As [`repair`](Workspace::repair). What was handed over before is done.
    pub async fn repair_each<E: Writable + Entity<Layout = L>>(
        &self,
        how: Repair,
        mut done: impl FnMut(Finding, bool) + Send,
    ) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("repair");
        let registered = self.kept(E::SCHEMA).map_err(named)?;
        let mut walk = Walk::new(&registered);
        while let Some(findings) = walk.next().await.map_err(named)? {
            if !findings.is_empty() {
                self.mend(&registered, walk.derived(), how, findings, &mut done).await.map_err(named)?;
            }
        }
        Ok(walk.rows)
    }

    /// Mends the findings of one chunk, and says of each whether it is.
    async fn mend(
        &self,
        registered: &Arc<Registered>,
        derived: &[Derived],
        how: Repair,
        findings: Vec<Finding>,
        done: &mut (impl FnMut(Finding, bool) + Send),
    ) -> Result<()> {
        let target = &registered.target;
        let part_of = |finding: &Finding| target.routing.parts.iter().position(|p| p.backend == finding.backend).unwrap_or(Target::OWNER);
        let way = |finding: &Finding| match finding.kind {
            FindingKind::Orphan => Way::Remove,
            FindingKind::StaleCopy | FindingKind::StaleEmbedding => Way::Refill,
            FindingKind::MissingPart | FindingKind::VersionDisagrees | FindingKind::Unreadable if derived[part_of(finding)].whole => {
                Way::Refill
            }
            FindingKind::MissingPart | FindingKind::VersionDisagrees if how.remove_torn_rows => Way::RemoveRow,
            _ => Way::Leave,
        };
        let ids = |part: usize, wanted: Way| -> Vec<Id> {
            findings.iter().filter(|f| part_of(f) == part && way(f) == wanted).map(|f| f.id.clone()).collect()
        };
        // A dry run takes it that all of this succeeds.
        let mut right: HashMap<usize, HashSet<Id>> = HashMap::new();
        if !how.dry_run {
            // Vectors before their copies.
            let mut embedded: Vec<(usize, Id)> = Vec::new();
            for derived in derived.iter().filter(|d| d.embeds()) {
                let stale = ids(derived.part, Way::Refill);
                right.insert(derived.part, self.refill(registered, derived, &stale).await?);
                embedded.extend(stale.into_iter().map(|id| (derived.part, id)));
            }
            for derived in derived.iter().filter(|d| !d.embeds()) {
                let mut stale = ids(derived.part, Way::Refill);
                stale.extend(
                    embedded
                        .iter()
                        .filter(|(part, id)| copies_of(registered, derived, *part) && !stale.contains(id))
                        .map(|(_, id)| id.clone())
                        .collect::<Vec<_>>(),
                );
                right.insert(derived.part, self.refill(registered, derived, &stale).await?);
            }
            for part in 1..target.len() {
                self.remove(target, part, ids(part, Way::Remove)).await?;
            }
            let torn: Vec<Id> = (0..target.len()).flat_map(|part| ids(part, Way::RemoveRow)).collect();
            if !torn.is_empty() {
                self.delete_ids(registered.clone(), torn).await?;
            }
        }
        for finding in findings.iter() {
            let mended = match way(finding) {
                Way::Leave => false,
                Way::Refill if !how.dry_run => right.get(&part_of(finding)).is_some_and(|right| right.contains(&finding.id)),
                _ => true,
            };
            done(finding.clone(), mended);
        }
        Ok(())
    }

    /// Makes anew what `E` has on a backend that follows from other fields: copies from the truth, embeddings from their text
    /// where that or the model changed. `progress` hears how far it is. Gives the number of rows looked at.
    ///
    /// Chunk by chunk in constant memory. What is right is left as it is: after a failure, begin again; it goes past what is done
    /// as fast as it can be read.
    ///
    /// ```
    /// use heavenbase::prelude::*;
    ///
    /// #[derive(Layout)]
    /// struct Shop {
    ///     #[layout(default)]
    ///     main: InMem,
    ///     search: InMem,
    /// }
    ///
    /// #[derive(Entity)]
    /// #[entity(layout = Shop)]
    /// struct Product {
    ///     object_id: Id,
    ///     #[store(to = "main")]
    ///     #[store(to = "search", copy)]
    ///     title: String,
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let ws = Workspace::open(Shop { main: InMem::new(), search: InMem::new() }).await?;
    /// ws.register::<Product>().await?;
    /// ws.upsert(&Product { object_id: Id::from("e1"), title: "Desk".into() }).await?;
    /// let rows = ws.rebuild::<Product>("search", |progress| println!("{} of {}", progress.rows, progress.of)).await?;
    /// assert_eq!(rows, 1);
    /// # Ok::<(), heavenbase::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when the backend holds nothing of the kind; [`ErrorKind::FracturedRow`] for a row whose parts
    /// do not belong together, which [`repair`](Workspace::repair) reports; what the backends and the embedders say.
    pub async fn rebuild<E: Writable + Entity<Layout = L>>(&self, backend: &str, mut progress: impl FnMut(Progress) + Send) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("rebuild");
        let registered = self.kept(E::SCHEMA).map_err(named)?;
        let target = &registered.target;
        let part = target.routing.parts.iter().position(|p| p.backend == backend);
        let derived = part.map(|part| Derived::of(&registered, part)).filter(|derived| !derived.is_empty());
        let derived = derived.ok_or_else(|| {
            let why = "the backend holds no copy of the entity's fields, and no embedding";
            named(Error::new(ErrorKind::InvalidQuery, why).with("backend", backend))
        })?;
        let mut done = Progress { rows: 0, of: self.count::<E>().await.map_err(named)? };
        let mut after = None;
        while let Some(page) = next_page(target, Target::OWNER, Vec::new(), &mut after).await.map_err(named)? {
            let mut left = page.ids;
            // A second look at rows that somebody was writing.
            for _ in 0..2 {
                let right = self.refill(&registered, &derived, &left).await.map_err(named)?;
                done.rows += right.len() as u64;
                left.retain(|id| !right.contains(id));
            }
            done.rows += self.gone(&registered, &mut left).await.map_err(named)?;
            if let Some(id) = left.first() {
                let why = "the row's parts do not belong together: `repair` says what can be done";
                return Err(named(Error::new(ErrorKind::FracturedRow, why).on_backend(backend).with("id", id)));
            }
            progress(done);
        }
        Ok(done.rows)
    }

    /// Takes out the rows that were deleted meanwhile; gives how many.
    async fn gone(&self, registered: &Registered, ids: &mut Vec<Id>) -> Result<u64> {
        let before = ids.len();
        if before > 0 {
            let there = super::chunks::fetch(&registered.target, Target::OWNER, ids, &[]).await?;
            ids.retain(|id| there.ids.contains(id));
        }
        Ok((before - ids.len()) as u64)
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

    async fn remove(&self, target: &Target, part: usize, ids: Vec<Id>) -> Result<()> {
        for ids in ids.chunks(target.describe(part).max_batch.max(1)) {
            let batch = WriteBatch {
                mode: WriteMode::Delete,
                version: self.inner.clock.next(),
                ids: ids.to_vec(),
                columns: Vec::new(),
                values: Vec::new(),
                expected: Vec::new(),
            };
            target.driver(part).write(target.part(part), Arc::new(batch)).await.map_err(|e| e.on_backend(target.part(part).backend))?;
        }
        Ok(())
    }
}

/// What is done about a finding.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Remove,
    Refill,
    RemoveRow,
    Leave,
}

/// Whether a part holds copies of what is embedded in another.
fn copies_of(registered: &Registered, derived: &Derived, embedded: usize) -> bool {
    derived.columns.iter().any(|(_, follows)| match follows {
        Follows::Copy(field) => {
            registered.embeddings.iter().any(|e| e.field == *field)
                && registered.target.locate(*field, None).is_some_and(|(part, _)| part == embedded)
        }
        _ => false,
    })
}
