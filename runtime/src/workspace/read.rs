//! Reads by id.

use std::sync::Arc;

use super::{Registered, Workspace};
use crate::driver::Page;
use crate::error::{Error, Result};
use crate::exec::{Context, fetch_rows};
use crate::plan::{Plan, Target};
use crate::query::{Entity, FieldRef, Layout, QuerySpec, RowCursor};
use crate::schema::FieldSchema;
use crate::types::Id;

impl<L: Layout> Workspace<L> {
    /// The row with this id, if there is one.
    ///
    /// # Errors
    /// What the backends say; [`FracturedRow`](crate::ErrorKind::FracturedRow) when its parts do not belong together.
    pub async fn get<E: Entity<Layout = L>>(&self, id: impl Into<Id>) -> Result<Option<E>> {
        let id = id.into();
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("get");
        let registered = self.registered(E::SCHEMA).map_err(named)?;
        let mut page = match &registered.whole {
            Some(columns) => {
                let (part, driver) = (registered.target.part(Target::OWNER), registered.target.driver(Target::OWNER));
                driver.fetch_one(part, &id, columns).await.map_err(|e| named(e.on_backend(part.backend)))?
            }
            None => page_of(&registered, std::slice::from_ref(&id)).await.map_err(named)?,
        };
        if page.is_empty() {
            return Ok(None);
        }
        let mut id = std::mem::take(&mut page.ids[0]);
        E::decode(&mut RowCursor::new(&mut id, None, page.row_mut(0))).map(Some).map_err(named)
    }

    /// The rows with these ids, in this order; `None` where there is none.
    ///
    /// # Errors
    /// As [`get`](Workspace::get).
    pub async fn get_many<E: Entity<Layout = L>>(&self, ids: &[Id]) -> Result<Vec<Option<E>>> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("get_many");
        let registered = self.registered(E::SCHEMA).map_err(named)?;
        let mut unique = ids.to_vec();
        unique.sort_unstable();
        unique.dedup();
        let mut page = page_of(&registered, &unique).await.map_err(named)?;
        let mut found = std::collections::HashMap::with_capacity(page.len());
        for row in 0..page.len() {
            let id = page.ids[row].clone();
            found.insert(id, page.row_mut(row).to_vec());
        }
        let decode = |id: &Id| {
            let Some(values) = found.get(id) else { return Ok(None) };
            let (mut id, mut values) = (id.clone(), values.clone());
            E::decode(&mut RowCursor::new(&mut id, None, &mut values)).map(Some).map_err(named)
        };
        ids.iter().map(decode).collect()
    }

    /// Whether there is a row with this id: only its owner is asked.
    ///
    /// # Errors
    /// What the owner says.
    pub async fn exists<E: Entity<Layout = L>>(&self, id: impl Into<Id>) -> Result<bool> {
        let id = id.into();
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("exists");
        let registered = self.registered(E::SCHEMA).map_err(named)?;
        let (part, driver) = (registered.target.part(Target::OWNER), registered.target.driver(Target::OWNER));
        driver.fetch_one(part, &id, &[]).await.map(|page| !page.is_empty()).map_err(|e| named(e.on_backend(part.backend)))
    }

    /// How many rows of `E` there are.
    ///
    /// # Errors
    /// What the owner says.
    pub async fn count<E: Entity<Layout = L>>(&self) -> Result<u64> {
        self.query::<E>().count().await.map_err(|e| e.in_operation("count"))
    }
}

/// The whole rows of some ids with what is kept beside their fields: all of [`EntitySchema::fields`], in order.
///
/// [`EntitySchema::fields`]: crate::schema::EntitySchema::fields
pub(super) async fn stored_of(registered: &Registered, ids: &[Id]) -> Result<Page> {
    let field = |f: &FieldSchema| FieldRef { name: f.name.into(), on: None, scan: false };
    let select = registered.target.routing.entity.fields.iter().map(field).collect();
    let plan = Plan::new(&QuerySpec { select: Some(select), ..QuerySpec::default() }, &registered.target)?;
    fetch_rows(&Context::new(Arc::new(plan), registered.target.clone()), ids.to_vec()).await
}

/// The whole rows of some ids.
pub(super) async fn page_of(registered: &Registered, ids: &[Id]) -> Result<Page> {
    let plan = Plan::new(&QuerySpec::default(), &registered.target)?;
    fetch_rows(&Context::new(Arc::new(plan), registered.target.clone()), ids.to_vec()).await
}
