//! Sorted streams of ids and their algebra: AND by leapfrog, OR by merge, NOT against the owner's ids. Memory is bounded
//! by pages.

use std::future::Future;
use std::pin::Pin;

use super::Context;
use super::candidates::restrict_all;
use super::merge::{both, common_ids, difference};
use super::part::PartStream;
use crate::driver::{Position, SubQuery};
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Purpose, Target, Tree};
use crate::types::Id;

/// Ids in byte order, each once.
pub(super) struct IdStream {
    node: Node,
    /// Ids read and not yet taken, from `at` on.
    buffer: Vec<Id>,
    at: usize,
    ended: bool,
}

// A handful of nodes a query: their size does not matter.
#[allow(clippy::large_enum_variant)]
enum Node {
    Leaf {
        context: Context,
        part: usize,
        purpose: Purpose,
        filter: Filter,
        stream: Option<PartStream>,
        after: Option<Id>,
        rows: usize,
        expected: Option<usize>,
        idle: u8,
    },
    And(Vec<IdStream>),
    Or(Vec<IdStream>),
    Except(Box<IdStream>, Box<IdStream>),
    /// The ids of a stream that satisfy some groups, asked chunk by chunk.
    Probed {
        context: Context,
        base: Box<IdStream>,
        groups: Vec<Group>,
    },
}

type Step<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl IdStream {
    fn new(node: Node) -> Self {
        IdStream { node, buffer: Vec::new(), at: 0, ended: false }
    }

    /// The ids of one part that satisfy a filter, after an id.
    pub(super) fn of_part(context: &Context, part: usize, purpose: Purpose, filter: Filter, after: Option<Id>, rows: usize) -> Self {
        Self::new(Node::Leaf { context: context.clone(), part, purpose, filter, stream: None, after, rows, expected: None, idle: 0 })
    }

    /// The same stream, of at most so many ids if that is known.
    pub(super) fn expecting(mut self, known: Option<usize>) -> Self {
        if let Node::Leaf { expected, .. } = &mut self.node {
            *expected = known;
        }
        self
    }

    /// The ids that satisfy a group.
    pub(super) fn of_group(context: &Context, group: &Group, after: Option<&Id>, rows: usize) -> Self {
        match group {
            Group::Part { part, filter } => Self::of_part(context, *part, Purpose::Filter, filter.clone(), after.cloned(), rows),
            Group::Tree(tree) => Self::of_tree(context, tree, after, rows),
        }
    }

    fn of_tree(context: &Context, tree: &Tree, after: Option<&Id>, rows: usize) -> Self {
        let all = |trees: &[Tree]| trees.iter().map(|t| Self::of_tree(context, t, after, rows)).collect();
        match tree {
            Tree::And(trees) => Self::new(Node::And(all(trees))),
            Tree::Or(trees) => Self::new(Node::Or(all(trees))),
            Tree::Not(inner) => {
                let owner = Self::of_part(context, Target::OWNER, Purpose::Exists, Filter::all(), after.cloned(), rows);
                Self::new(Node::Except(Box::new(owner), Box::new(Self::of_tree(context, inner, after, rows))))
            }
            Tree::Leaf { part, filter } => Self::of_part(context, *part, Purpose::Filter, filter.clone(), after.cloned(), rows),
        }
    }

    /// The ids in all of these streams.
    pub(super) fn intersection(mut streams: Vec<IdStream>) -> Self {
        if streams.len() == 1 { streams.remove(0) } else { Self::new(Node::And(streams)) }
    }

    /// The ids of this stream that satisfy some groups too: they are pushed there, a chunk at a time.
    pub(super) fn probed(self, context: &Context, groups: Vec<Group>) -> Self {
        Self::new(Node::Probed { context: context.clone(), base: Box::new(self), groups })
    }

    /// A stream that gives these ids back before it goes on.
    pub(super) fn put_back(&mut self, mut ids: Vec<Id>) {
        ids.extend(self.buffer.drain(self.at..));
        (self.buffer, self.at) = (ids, 0);
    }

    /// The next ids, not empty; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Id>>> {
        if !self.fill(None).await? {
            return Ok(None);
        }
        let ids = if self.at == 0 { std::mem::take(&mut self.buffer) } else { self.buffer.drain(self.at..).collect() };
        (self.buffer, self.at) = (Vec::new(), 0);
        Ok(Some(ids))
    }

    fn rest(&self) -> &[Id] {
        &self.buffer[self.at..]
    }

    /// Makes sure that something is buffered, or says that nothing is left. Ids below `from` may be passed over.
    fn fill<'a>(&'a mut self, from: Option<&'a Id>) -> Step<'a, bool> {
        Box::pin(async move {
            if let Some(from) = from {
                self.at += self.rest().partition_point(|id| id < from);
            }
            while self.at == self.buffer.len() {
                if self.ended {
                    return Ok(false);
                }
                match self.produce(from).await? {
                    Some(ids) => (self.buffer, self.at) = (ids, 0),
                    None => self.ended = true,
                }
                if let Some(from) = from {
                    self.at += self.rest().partition_point(|id| id < from);
                }
            }
            Ok(true)
        })
    }

    async fn produce(&mut self, from: Option<&Id>) -> Result<Option<Vec<Id>>> {
        match &mut self.node {
            Node::Leaf { context, part, purpose, filter, stream, after, rows, expected, idle } => {
                // Pages that end before `from` are of no use: after two of them, start again further on.
                if let (Some(from), true) = (from, *idle >= 2)
                    && let Some(below) = just_below(from)
                    && after.as_ref().is_none_or(|last| *last < below)
                {
                    (*stream, *after, *idle) = (None, Some(below), 0);
                }
                let open = match stream {
                    Some(open) => open,
                    None => {
                        let position = after.clone().map(|id| Position { keys: Vec::new(), id });
                        let query = SubQuery {
                            filter: filter.clone(),
                            after: position,
                            page_rows: *rows,
                            ids_only: true,
                            expected: *expected,
                            ..SubQuery::default()
                        };
                        stream.insert(PartStream::open(context, *part, *purpose, query).await?)
                    }
                };
                let page = open.next().await?;
                if let Some(page) = &page {
                    after.clone_from(&page.ids.last().cloned());
                }
                if let (Some(page), Some(from)) = (&page, from) {
                    *idle = if page.ids.last().is_some_and(|last| last < from) { *idle + 1 } else { 0 };
                }
                Ok(page.map(|p| p.ids))
            }
            Node::And(streams) => intersect(streams, from).await,
            Node::Or(streams) => union(streams, from).await,
            Node::Except(all, not) => except(all, not, from).await,
            Node::Probed { context, base, groups } => {
                while base.fill(from).await? {
                    let Some(ids) = base.next().await? else { break };
                    let kept = restrict_all(context, groups, ids).await?;
                    if !kept.is_empty() {
                        return Ok(Some(kept));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// A text below an id and above most others below it; ids in between are passed over after reading.
fn just_below(id: &Id) -> Option<Id> {
    let text = id.as_str();
    let last = text.char_indices().next_back()?;
    (last.0 > 0).then(|| Id::from(&text[..last.0]))
}

async fn intersect(streams: &mut [IdStream], from: Option<&Id>) -> Result<Option<Vec<Id>>> {
    let mut seek: Option<Id> = from.cloned();
    loop {
        for stream in streams.iter_mut() {
            if !stream.fill(seek.as_ref()).await? {
                return Ok(None);
            }
            // Every stream must reach the furthest head.
            let head = &stream.rest()[0];
            if seek.as_ref().is_none_or(|s| s < head) {
                seek = Some(head.clone());
            }
        }
        let Some(bound) = streams.iter().filter_map(|s| s.rest().last()).min().cloned() else { return Ok(None) };
        let ends: Vec<usize> = streams.iter().map(|s| s.rest().partition_point(|id| *id <= bound)).collect();
        let (first, others) = match streams.split_first_mut() {
            Some(split) => split,
            None => return Ok(None),
        };
        let start = first.at;
        let mut found: Option<Vec<Id>> = None;
        for (other, end) in others.iter().zip(&ends[1..]) {
            let rest = &other.rest()[..*end];
            found = Some(match found {
                Some(ids) => both(ids, rest),
                None => {
                    let places = common_ids(&first.buffer[start..start + ends[0]], rest);
                    places.into_iter().map(|at| std::mem::take(&mut first.buffer[start + at])).collect()
                }
            });
        }
        let found = found.unwrap_or_else(|| first.buffer[start..start + ends[0]].iter_mut().map(std::mem::take).collect());
        streams.iter_mut().zip(ends).for_each(|(s, end)| s.at += end);
        if !found.is_empty() {
            return Ok(Some(found));
        }
    }
}

async fn union(streams: &mut Vec<IdStream>, from: Option<&Id>) -> Result<Option<Vec<Id>>> {
    let mut alive = Vec::with_capacity(streams.len());
    for mut stream in streams.drain(..) {
        if stream.fill(from).await? {
            alive.push(stream);
        }
    }
    *streams = alive;
    let Some(bound) = streams.iter().filter_map(|s| s.rest().last()).min().cloned() else { return Ok(None) };
    let mut merged = Vec::new();
    for stream in streams.iter_mut() {
        let end = stream.rest().partition_point(|id| *id <= bound);
        let range = stream.at..stream.at + end;
        merged.extend(stream.buffer[range].iter_mut().map(std::mem::take));
        stream.at += end;
    }
    merged.sort_unstable();
    merged.dedup();
    Ok(Some(merged))
}

async fn except(all: &mut IdStream, not: &mut IdStream, from: Option<&Id>) -> Result<Option<Vec<Id>>> {
    loop {
        if !all.fill(from).await? {
            return Ok(None);
        }
        let head = all.rest()[0].clone();
        if !not.fill(Some(&head)).await? {
            return all.next().await;
        }
        let bound = match (all.rest().last(), not.rest().last()) {
            (Some(a), Some(b)) => a.min(b).clone(),
            _ => return Ok(None),
        };
        let end = all.rest().partition_point(|id| *id <= bound);
        let taken: Vec<Id> = all.buffer[all.at..all.at + end].iter_mut().map(std::mem::take).collect();
        all.at += end;
        let kept = difference(taken, &not.rest()[..not.rest().partition_point(|id| *id <= bound)]);
        if !kept.is_empty() {
            return Ok(Some(kept));
        }
    }
}
