use crate::capability::{Operation, Placement};

/// An operation that this server turned out not to run, although the capability table says that its kind does: an extension
/// or a version is missing. A driver finds it out when it connects, says so in [`Driver::narrowed`](super::Driver::narrowed),
/// and hands such tests back in its plans.
///
/// What compiles cannot follow: the operation is then [`Scan`](crate::capability::Support::Scan) in
/// [`Workspace::capabilities`](crate::Workspace::capabilities), `register` reports it for entities that it concerns, and a
/// query that asks for it without `.scan()` is refused with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// The class of types, as in the table: `"Vector"`.
    pub class: &'static str,
    /// The placement; every one when absent.
    pub placement: Option<Placement>,
    /// The operation.
    pub operation: Operation,
    /// What is missing, and the way out: `the server has no extension vector: have its owner create it`.
    pub reason: String,
}

impl Narrowed {
    /// Whether it concerns fields of a class in a placement.
    pub fn concerns(&self, class: &str, placement: Placement) -> bool {
        self.class == class && self.placement.is_none_or(|only| only == placement)
    }

    /// The entry of some that takes an operation away, if there is one.
    pub fn find<'n>(all: &'n [Narrowed], operation: Operation, class: &str, placement: Placement) -> Option<&'n Narrowed> {
        all.iter().find(|narrowed| narrowed.operation == operation && narrowed.concerns(class, placement))
    }
}
