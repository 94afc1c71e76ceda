use std::collections::HashMap;
use std::sync::Arc;

use super::{Registered, Workspace};
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Target;
use crate::query::{Entity, Layout, Writable};
use crate::schema::Routing;

impl<L: Layout> Workspace<L> {
    /// Makes an entity usable: creates its parts, or checks what is there, and adds new optional or defaulted fields.
    /// Safe to repeat, also at the same time in several processes. Gives what was done, by backend.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] for any other difference, saying what differs; [`ErrorKind::InvalidSchema`] for an
    /// entity that cannot be laid out, or whose embedder the workspace does not have.
    pub async fn register<E: Entity<Layout = L>>(&self) -> Result<Vec<(&'static str, Ensured)>> {
        let entity = E::SCHEMA;
        let named = |e: Error| e.of_entity(entity.name).in_operation("register");
        let inner = &self.inner;
        let _one_at_a_time = inner.registering.lock().await;
        let known = inner.entities.load_full();
        if let Some(other) = known.get(entity.name)
            && !std::ptr::eq(other.target.routing.entity, entity)
            && !same_fields(other.target.routing.entity, entity)
        {
            return Err(named(Error::new(
                ErrorKind::InvalidSchema,
                "another struct is registered under this name: give one of them another with #[entity(name = \"…\")]",
            )));
        }
        let embeddings = super::embed::embeddings(entity, &inner.embedders.load()).map_err(named)?;
        let routing = Routing::new(entity, &inner.namespace, inner.default, &inner.bindings).map_err(named)?;
        let driver_of = |part: &crate::schema::Part| inner.bindings.iter().find(|b| b.name == part.backend).map(|b| b.driver.clone());
        let drivers: Vec<_> = routing.parts.iter().filter_map(|p| driver_of(p)).collect();
        let mut done = Vec::new();
        for (part, driver) in routing.parts.iter().zip(&drivers) {
            let mut ensured = driver.ensure(part).await.map_err(|e| named(e.on_backend(part.backend)))?;
            for narrowed in driver.narrowed() {
                let concerned = part.columns.iter().any(|column| narrowed.concerns(column.logical.class(), column.placement));
                if concerned && !ensured.narrowed.contains(narrowed) {
                    ensured.narrowed.push(narrowed.clone());
                }
            }
            done.push((part.backend, ensured));
        }
        let target = Arc::new(Target::new(routing, drivers));
        let all: Option<Vec<usize>> =
            (0..entity.visible()).map(|f| target.locate(f, None).filter(|(p, _)| *p == Target::OWNER).map(|(_, c)| c)).collect();
        let mut entities: HashMap<_, _> = (*known).clone();
        entities.insert(entity.name, Arc::new(Registered { target, whole: all, embeddings }));
        inner.entities.store(Arc::new(entities));
        Ok(done)
    }

    /// Takes note of changes made outside, on every backend that holds a part of `E`: caches are dropped, and rows that
    /// were written become readable where a backend delays them.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn refresh<E: Entity<Layout = L>>(&self) -> Result<()> {
        let registered = self.registered(E::SCHEMA)?;
        let target = &registered.target;
        for (part, driver) in target.routing.parts.iter().zip(&target.drivers) {
            driver.refresh(part).await.map_err(|e| e.on_backend(part.backend).of_entity(part.entity.name).in_operation("refresh"))?;
        }
        Ok(())
    }

    /// Drops all rows and all storage of `E` in this workspace, and nothing else. Says whether something was there.
    ///
    /// # Errors
    /// What the backends say; [`ErrorKind::Unsupported`] for a table that exists already. Dropping again goes on where it
    /// stopped.
    pub async fn drop<E: Writable + Entity<Layout = L>>(&self) -> Result<bool> {
        if E::SCHEMA.existing.is_some() {
            let why = "HeavenBase did not create the table, and does not drop it: use the database's own means";
            return Err(Error::new(ErrorKind::Unsupported, why).of_entity(E::SCHEMA.name).in_operation("drop"));
        }
        let registered = self.registered(E::SCHEMA)?;
        let inner = &self.inner;
        let _one_at_a_time = inner.registering.lock().await;
        let target = &registered.target;
        let mut there = false;
        // The owner last: as long as it has the rows, an interrupted drop can be seen and repeated.
        for (part, driver) in target.routing.parts.iter().zip(&target.drivers).rev() {
            there |=
                driver.drop_part(part).await.map_err(|e| e.on_backend(part.backend).of_entity(part.entity.name).in_operation("drop"))?;
        }
        let mut entities: HashMap<_, _> = (*inner.entities.load_full()).clone();
        entities.remove(E::SCHEMA.name);
        inner.entities.store(Arc::new(entities));
        Ok(there)
    }
}

/// Constants may be duplicated by the compiler: the same entity can be at two addresses.
fn same_fields(a: &crate::schema::EntitySchema, b: &crate::schema::EntitySchema) -> bool {
    a.name == b.name
        && a.fields.len() == b.fields.len()
        && a.fields.iter().zip(b.fields).all(|(x, y)| x.name == y.name && x.stored_name == y.stored_name && x.logical == y.logical)
}
