use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use super::{BackendOptions, Connect, MapsTables, RunsSql};
use crate::capability::{Backend, Ranks, Runs, Stores, Writes};
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

/// A backend that is one of several kinds, chosen when the program starts: only what all of them can do compiles.
///
/// ```
/// use heavenbase::backends::{InMem, OneOf, Sqlite};
/// let chosen: OneOf<(InMem, Sqlite)> = OneOf::new(InMem::new());
/// ```
pub struct OneOf<T> {
    kind: &'static str,
    connect: Box<dyn FnOnce() -> Connecting + Send>,
    of: PhantomData<fn() -> T>,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Arc<dyn Driver>>> + Send>>;

/// A tuple that names `B` at the position that `Index` stands for.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{B}` is not one of the kinds `{Self}`",
    label = "none of the kinds that it may be",
    note = "name it among the kinds: `OneOf<(A, B)>`"
)]
pub trait Names<B, Index> {}

impl<T> OneOf<T> {
    /// The kind that it turned out to be.
    pub fn new<B: Connect, Index>(backend: B) -> Self
    where
        T: Names<B, Index>,
    {
        OneOf { kind: backend.kind(), connect: Box::new(|| Box::pin(backend.connect())), of: PhantomData }
    }
}

impl<T> std::fmt::Debug for OneOf<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OneOf({})", self.kind)
    }
}

/// A tuple of kinds that a file can choose from.
#[doc(hidden)]
pub trait Choices: Sized + 'static {
    fn choose(kind: &str, options: BackendOptions) -> Result<OneOf<Self>>;
}

fn unknown<T>(kind: &str) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidSchema, format!("`{kind}` is none of the kinds it may be")))
}

impl<A: Connect, B: Connect> Choices for (A, B) {
    fn choose(kind: &str, options: BackendOptions) -> Result<OneOf<Self>> {
        if A::KINDS.contains(&kind) {
            A::from_options(kind, options).map(OneOf::new::<A, at::First>)
        } else if B::KINDS.contains(&kind) {
            B::from_options(kind, options).map(OneOf::new::<B, at::Second>)
        } else {
            unknown(kind)
        }
    }
}

impl<A: Connect, B: Connect, C: Connect> Choices for (A, B, C) {
    fn choose(kind: &str, options: BackendOptions) -> Result<OneOf<Self>> {
        if A::KINDS.contains(&kind) {
            A::from_options(kind, options).map(OneOf::new::<A, at::First>)
        } else if B::KINDS.contains(&kind) {
            B::from_options(kind, options).map(OneOf::new::<B, at::Second>)
        } else if C::KINDS.contains(&kind) {
            C::from_options(kind, options).map(OneOf::new::<C, at::Third>)
        } else {
            unknown(kind)
        }
    }
}

impl<T: Choices> Connect for OneOf<T>
where
    OneOf<T>: Backend,
{
    fn from_options(kind: &str, options: BackendOptions) -> Result<Self> {
        T::choose(kind, options)
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        (self.connect)().await
    }
}

/// Positions in a tuple, for [`Names`].
#[doc(hidden)]
pub mod at {
    #[derive(Debug)]
    pub struct First;
    #[derive(Debug)]
    pub struct Second;
    #[derive(Debug)]
    pub struct Third;
}

#[diagnostic::do_not_recommend]
impl<A, B> Names<A, at::First> for (A, B) {}
#[diagnostic::do_not_recommend]
impl<A, B> Names<B, at::Second> for (A, B) {}
#[diagnostic::do_not_recommend]
impl<A, B, C> Names<A, at::First> for (A, B, C) {}
#[diagnostic::do_not_recommend]
impl<A, B, C> Names<B, at::Second> for (A, B, C) {}
#[diagnostic::do_not_recommend]
impl<A, B, C> Names<C, at::Third> for (A, B, C) {}

impl<A: Backend, B: Backend> Backend for OneOf<(A, B)> {
    const KINDS: &'static [&'static str] = &[A::KINDS[0], B::KINDS[0]];
}

impl<A: Backend, B: Backend, C: Backend> Backend for OneOf<(A, B, C)> {
    const KINDS: &'static [&'static str] = &[A::KINDS[0], B::KINDS[0], C::KINDS[0]];
}

#[diagnostic::do_not_recommend]
impl<A: MapsTables, B: MapsTables> MapsTables for OneOf<(A, B)> {}
#[diagnostic::do_not_recommend]
impl<A: MapsTables, B: MapsTables, C: MapsTables> MapsTables for OneOf<(A, B, C)> {}

#[diagnostic::do_not_recommend]
impl<A: RunsSql, B: RunsSql> RunsSql for OneOf<(A, B)> {}
#[diagnostic::do_not_recommend]
impl<A: RunsSql, B: RunsSql, C: RunsSql> RunsSql for OneOf<(A, B, C)> {}

// Not recommended: the compiler then speaks of the `OneOf`, not of every other thing that runs something.
#[diagnostic::do_not_recommend]
impl<A, B, O, K, P> Runs<O, K, P> for OneOf<(A, B)>
where
    A: Runs<O, K, P>,
    B: Runs<O, K, P>,
{
}

#[diagnostic::do_not_recommend]
impl<A, B, C, O, K, P> Runs<O, K, P> for OneOf<(A, B, C)>
where
    A: Runs<O, K, P>,
    B: Runs<O, K, P>,
    C: Runs<O, K, P>,
{
}

#[diagnostic::do_not_recommend]
impl<A, B, K, P> Stores<K, P> for OneOf<(A, B)>
where
    A: Stores<K, P>,
    B: Stores<K, P>,
{
}

#[diagnostic::do_not_recommend]
impl<A, B, C, K, P> Stores<K, P> for OneOf<(A, B, C)>
where
    A: Stores<K, P>,
    B: Stores<K, P>,
    C: Stores<K, P>,
{
}

#[diagnostic::do_not_recommend]
impl<A: Writes, B: Writes> Writes for OneOf<(A, B)> {}

#[diagnostic::do_not_recommend]
impl<A: Writes, B: Writes, C: Writes> Writes for OneOf<(A, B, C)> {}

#[diagnostic::do_not_recommend]
impl<A, B, M> Ranks<M> for OneOf<(A, B)>
where
    A: Ranks<M>,
    B: Ranks<M>,
{
}

#[diagnostic::do_not_recommend]
impl<A, B, C, M> Ranks<M> for OneOf<(A, B, C)>
where
    A: Ranks<M>,
    B: Ranks<M>,
    C: Ranks<M>,
{
}
