use super::Connect;
use crate::driver::Driver;

/// A kind of backend that hands out what its driver works with, for what HeavenBase does not say: see
/// [`Workspace::backend`](crate::Workspace::backend).
#[diagnostic::on_unimplemented(
    message = "`{Self}` hands out no native connection",
    label = "there is nothing native to hand out",
    note = "of a `OneOf` ask for the kind that it turned out to be: `workspace.backend_as::<Sqlite>(\"main\")`"
)]
pub trait Native: Connect {
    /// What is handed out: a pool, a client, or the driver itself where it lends its connections.
    type Handle<'w>;

    /// The handle of a driver, when it is one of this kind.
    fn handle(driver: &dyn Driver) -> Option<Self::Handle<'_>>;
}

/// A kind of backend that runs SQL of the application's own: see [`Workspace::raw`](crate::Workspace::raw). Its driver
/// implements [`Driver::raw`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` runs no SQL",
    label = "raw statements are for SQL databases",
    note = "ask by `workspace.query`, or for the native connection with `workspace.backend`"
)]
pub trait RunsSql {}
