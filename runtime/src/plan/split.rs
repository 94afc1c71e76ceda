//! Splits a filter by backend: conjuncts of one part go there whole, the others become a tree of id sets.

use super::Target;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Filter, Test};
use crate::schema::ID_COLUMN;

/// Rows that satisfy a condition on one part, or a combination over several parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Group {
    /// A filter that one part can be asked.
    Part {
        /// The part.
        part: usize,
        /// The filter; all its fields lie in the part.
        filter: Filter,
    },
    /// A condition over several parts.
    Tree(Tree),
}

/// A condition over several parts, as sets of ids.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// In all of them.
    And(Vec<Tree>),
    /// In any of them.
    Or(Vec<Tree>),
    /// The entity's other rows.
    Not(Box<Tree>),
    /// A filter on one part.
    Leaf {
        /// The part.
        part: usize,
        /// The filter; all its fields lie in the part.
        filter: Filter,
    },
}

/// Splits a filter's conjunction: at most one group a part, then one tree a conjunct over several parts. `prefer` is
/// the part that tests of the id go to when nothing else decides.
pub(super) fn split(filter: &Filter, target: &Target, prefer: usize) -> Result<Vec<Group>> {
    let mut by_part: Vec<Vec<Filter>> = vec![Vec::new(); target.len()];
    let mut anywhere = Vec::new();
    let mut trees = Vec::new();
    for conjunct in filter.clone().into_conjuncts() {
        match place(&conjunct, target)? {
            Place::Anywhere => anywhere.push(conjunct),
            Place::One(part) => by_part[part].push(conjunct),
            Place::Several => trees.push(tree(conjunct, target)?),
        }
    }
    if !anywhere.is_empty() {
        // The id is known everywhere: it narrows every part that is asked anyway.
        if by_part.iter().all(Vec::is_empty) {
            by_part[prefer] = anywhere;
        } else {
            by_part.iter_mut().filter(|filters| !filters.is_empty()).for_each(|filters| filters.extend(anywhere.iter().cloned()));
        }
    }
    let parts = by_part.into_iter().enumerate().filter(|(_, filters)| !filters.is_empty());
    let groups = parts.map(|(part, filters)| Group::Part { part, filter: Filter::conjunction(filters) });
    Ok(groups.chain(trees.into_iter().map(Group::Tree)).collect())
}

enum Place {
    Anywhere,
    One(usize),
    Several,
}

fn place(filter: &Filter, target: &Target) -> Result<Place> {
    let mut place = Place::Anywhere;
    let mut unknown = None;
    filter.for_each_test(&mut |test| match part_of(test, target) {
        Ok(None) => {}
        Ok(Some(part)) => match place {
            Place::Anywhere => place = Place::One(part),
            Place::One(other) if other != part => place = Place::Several,
            _ => {}
        },
        Err(error) => unknown = Some(error),
    });
    unknown.map_or(Ok(place), Err)
}

fn part_of(test: &Test, target: &Target) -> Result<Option<usize>> {
    if test.field == ID_COLUMN {
        return Ok(None);
    }
    let entity = target.routing.entity;
    let unknown = |why: &'static str| Error::new(ErrorKind::InvalidQuery, why).of_entity(entity.name).at_field(test.field.to_string());
    let (field, _) = entity.field(&test.field).ok_or_else(|| unknown("the entity has no such field"))?;
    let (part, _) = target.locate(field, test.on.as_deref()).ok_or_else(|| unknown("the field has no copy on that backend"))?;
    Ok(Some(part))
}

fn tree(filter: Filter, target: &Target) -> Result<Tree> {
    match place(&filter, target)? {
        Place::Anywhere => return Ok(Tree::Leaf { part: Target::OWNER, filter }),
        Place::One(part) => return Ok(Tree::Leaf { part, filter }),
        Place::Several => {}
    }
    Ok(match filter {
        Filter::And(parts) => Tree::And(merged(parts, target, Filter::conjunction)?),
        Filter::Or(parts) => Tree::Or(merged(parts, target, Filter::Or)?),
        Filter::Not(inner) => Tree::Not(Box::new(tree(*inner, target)?)),
        Filter::Test(test) => Tree::Leaf { part: part_of(&test, target)?.unwrap_or(Target::OWNER), filter: Filter::Test(test) },
    })
}

/// The children of a node, those of one part asked together.
fn merged(parts: Vec<Filter>, target: &Target, join: impl Fn(Vec<Filter>) -> Filter) -> Result<Vec<Tree>> {
    let mut leaves: Vec<Vec<Filter>> = vec![Vec::new(); target.len()];
    let mut trees = Vec::new();
    for filter in parts {
        match tree(filter, target)? {
            Tree::Leaf { part, filter } => leaves[part].push(filter),
            other => trees.push(other),
        }
    }
    let leaves = leaves.into_iter().enumerate().filter(|(_, filters)| !filters.is_empty());
    let leaves =
        leaves.map(|(part, mut filters)| Tree::Leaf { part, filter: if filters.len() == 1 { filters.remove(0) } else { join(filters) } });
    Ok(leaves.chain(trees).collect())
}
