//! What does not belong together, found chunk by chunk.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Registered;
use super::chunks::{Truth, fetch, next_page, readable};
use super::refill::{Derived, Follows};
use crate::driver::{IdLookup, Page};
use crate::error::Result;
use crate::plan::Target;
use crate::types::{Id, canonical_key, equal};

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
    /// An embedding was computed from another text than its sources have, or by another model than the embedder's.
    StaleEmbedding,
    /// Another row holds the same unique values.
    NotUnique,
    /// What is stored cannot be read: it is no value of its field. Found in copies and embeddings and in what they follow from.
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

/// An audit on its way through the rows: the owner's first, then each other part's.
pub(super) struct Walk<'a> {
    registered: &'a Registered,
    derived: Vec<Derived>,
    groups: Vec<Vec<usize>>,
    columns: Vec<usize>,
    seen: Vec<HashSet<[u8; 16]>>,
    /// The part that is walked through.
    part: usize,
    after: Option<Id>,
    pub(super) rows: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(registered: &'a Registered) -> Self {
        let target = &registered.target;
        let groups = target.part(Target::OWNER).unique_groups();
        let mut columns: Vec<usize> = groups.iter().flatten().copied().collect();
        columns.sort_unstable();
        columns.dedup();
        let derived = (0..target.len()).map(|part| Derived::of(registered, part)).collect();
        let seen = vec![HashSet::new(); groups.len()];
        Walk { registered, derived, groups, columns, seen, part: Target::OWNER, after: None, rows: 0 }
    }

    /// What is derived in each part.
    pub(super) fn derived(&self) -> &[Derived] {
        &self.derived
    }

    /// What the next chunk of rows shows; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Finding>>> {
        let target = &self.registered.target;
        while self.part < target.len() {
            let columns = if self.part == Target::OWNER { self.columns.clone() } else { Vec::new() };
            match next_page(target, self.part, columns, &mut self.after).await? {
                Some(page) if self.part == Target::OWNER => return self.compare(&page).await.map(Some),
                Some(page) => return orphans(target, self.part, &page).await.map(Some),
                None => (self.part, self.after) = (self.part + 1, None),
            }
        }
        Ok(None)
    }

    async fn compare(&mut self, owner: &Page) -> Result<Vec<Finding>> {
        self.rows += owner.len() as u64;
        let mut findings = Vec::new();
        for (group, seen) in self.groups.iter().zip(&mut self.seen) {
            uniqueness(&self.registered.target, owner, group, &self.columns, seen, &mut findings);
        }
        for derived in &self.derived {
            compare_part(self.registered, derived, owner, &mut findings).await?;
        }
        Ok(findings)
    }
}

fn finding(target: &Target, part: usize, kind: FindingKind, id: &Id) -> Finding {
    Finding { kind, id: id.clone(), backend: target.part(part).backend.to_owned(), fields: Vec::new() }
}

async fn orphans(target: &Target, part: usize, page: &Page) -> Result<Vec<Finding>> {
    let owner = fetch(target, Target::OWNER, &page.ids, &[]).await?;
    let known = IdLookup::new(&owner.ids);
    let orphans = page.ids.iter().filter(|id| known.row(id).is_none());
    Ok(orphans.map(|id| finding(target, part, FindingKind::Orphan, id)).collect())
}

/// Sixteen bytes of digest a row and group are kept: the memory of this check alone grows with the rows.
fn uniqueness(target: &Target, page: &Page, group: &[usize], columns: &[usize], seen: &mut HashSet<[u8; 16]>, findings: &mut Vec<Finding>) {
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
            findings.push(Finding { fields, ..finding(target, Target::OWNER, FindingKind::NotUnique, &page.ids[row]) });
        }
    }
}

/// One part against a page of the owner: presence, versions, copies, embeddings.
async fn compare_part(registered: &Registered, derived: &Derived, owner: &Page, findings: &mut Vec<Finding>) -> Result<()> {
    let (target, part) = (&registered.target, derived.part);
    if part == Target::OWNER && derived.is_empty() {
        return Ok(());
    }
    // A digest stands for its vector, which is not read.
    let compared: Vec<(usize, Follows)> =
        derived.columns.iter().copied().filter(|(_, follows)| !matches!(follows, Follows::Vector(_))).collect();
    let columns: Vec<usize> = compared.iter().map(|(column, _)| *column).collect();
    let (page, damaged) = readable(target, part, &owner.ids, &columns).await?;
    let rows = IdLookup::new(&page.ids);
    let unreadable: HashSet<&Id> = damaged.iter().collect();
    let truth = if compared.is_empty() { None } else { Some(Truth::read(target, &derived.sources(registered), &owner.ids).await?) };
    let sources = truth.iter().flat_map(|truth| truth.damaged.iter().cloned());
    for (part, id) in damaged.iter().map(|id| (part, id.clone())).chain(sources) {
        let damage = finding(target, part, FindingKind::Unreadable, &id);
        // Several parts may follow from it.
        if !findings.contains(&damage) {
            findings.push(damage);
        }
    }
    for (at, id) in owner.ids.iter().enumerate().filter(|(_, id)| !unreadable.contains(id)) {
        let Some(row) = rows.row(id) else {
            findings.push(finding(target, part, FindingKind::MissingPart, id));
            continue;
        };
        if page.versions[row] != owner.versions[at] {
            findings.push(finding(target, part, FindingKind::VersionDisagrees, id));
            continue;
        }
        // Sources of another version are a finding of the part that has them.
        let Some(truth) = truth.as_ref().filter(|truth| truth.agrees(id, owner.versions[at])) else { continue };
        let (mut copies, mut embeddings) = (Vec::new(), Vec::new());
        for (stored, (column, follows)) in page.row(row).iter().zip(&compared) {
            match follows {
                Follows::Copy(field) if !equal(truth.value(*field, id), stored) => {
                    copies.push(target.part(part).columns[*column].name.to_owned());
                }
                Follows::Digest(position) => {
                    let embedding = &registered.embeddings[*position];
                    let digest = embedding.text(|field| truth.value(field, id)).map(|text| embedding.digest(&text));
                    if stored.as_text() != digest.as_deref() {
                        embeddings.push(embedding.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        for (kind, fields) in [(FindingKind::StaleCopy, copies), (FindingKind::StaleEmbedding, embeddings)] {
            if !fields.is_empty() {
                findings.push(Finding { fields, ..finding(target, part, kind, id) });
            }
        }
    }
    Ok(())
}
