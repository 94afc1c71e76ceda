use std::sync::Arc;

use crate::driver::Driver;

/// One backend of a layout, as `#[derive(Layout)]` describes it.
#[derive(Clone, Copy, Debug)]
pub struct LayoutEntry {
    /// The backend's name: the struct field's.
    pub name: &'static str,
    /// The kinds it may turn out to be.
    pub kinds: &'static [&'static str],
    /// Whether fields that name no backend lie here, and it owns rows.
    pub default: bool,
}

/// A backend of an opened layout: its name, and the driver that speaks to it.
#[derive(Clone)]
pub struct Binding {
    /// The backend's name in the layout.
    pub name: &'static str,
    /// The kind whose capabilities hold: the table's row. In a rehearsal not the driver's own.
    pub kind: &'static str,
    /// The driver.
    pub driver: Arc<dyn Driver>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
