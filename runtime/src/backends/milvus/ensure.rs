//! Making a part, checking it, evolving it, dropping it.
//!
//! What was made is written into the description of the first collection, which is made last and dropped last: while it
//! is there, the others are. New fields need new collections (Milvus 2.3 cannot add one), so they are made beside the
//! old ones, filled, and renamed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;

use super::driver::Inner;
use super::expression::Expression;
use super::proto::{
    CollectionSchema, CreateCollection, CreateIndex, Described, DescribedIndex, GetLoadState, KeyValuePair, LoadState, OfIndex,
    RenameCollection, Status,
};
use super::read::Walk;
use super::rows::Row;
use super::shape::{Collection, Method, NO_VECTOR, Shape, collections_of, metric_name, value_field};
use crate::capability::Placement;
use crate::driver::{Ensured, Manifest, deadline_after};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{LogicalType, Metric, Value};

/// The end of the name of collections being filled.
const NEXT: &str = "_hb_next";
/// The property that says what was made.
const MANIFEST: &str = "heavenbase.manifest";

impl Inner {
    /// Makes the part, or checks what is there against it.
    pub(super) async fn ensure(&self, part: &Arc<Part>) -> Result<Ensured> {
        check(part)?;
        let shape = Shape::of(part);
        for collection in &shape.collections {
            shape.schema(collection)?;
        }
        self.can_spread(part).await?;
        let turn = self.turn(&shape.first().name);
        let _turn = turn.lock().await;
        if !self.client.has(&shape.first().name).await? && !self.finish_renaming(&shape).await? {
            for collection in shape.collections.iter().rev() {
                self.drop_collection(&collection.name).await?;
                self.create(&shape, collection).await?;
            }
            return Ok(Ensured { created: true, ..Ensured::default() });
        }
        let manifest = self.manifest(&shape.first().name).await?;
        self.check_partition(&shape).await?;
        let additions = manifest.additions(part)?;
        if !additions.is_empty() {
            self.evolve(&shape, &manifest, &additions).await?;
            let added = additions.iter().map(|&i| part.columns[i].name.to_owned()).collect();
            return Ok(Ensured { added, ..Ensured::default() });
        }
        for collection in &shape.collections {
            self.index(&shape, collection).await?;
            self.load(&collection.name).await?;
        }
        Ok(Ensured::default())
    }

    /// Refuses to spread rows on a server that would not find them again.
    async fn can_spread(&self, part: &Part) -> Result<()> {
        let Some(column) = super::options::partition(part)? else { return Ok(()) };
        let version = self.client.version().await?;
        if !super::options::misplaces(&version) {
            return Ok(());
        }
        let why = format!(
            "Milvus {version} loses rows that are spread by a field when they are written again: leave out the option `partition`, \
             or use Milvus 2.4 or later"
        );
        Err(Error::new(ErrorKind::Unsupported, why).at_field(column.name).of_entity(part.entity.name))
    }

    /// Refuses a part whose rows are spread by another field than the entity says: they would have to be written anew.
    async fn check_partition(&self, shape: &Shape) -> Result<()> {
        let described: Described = self.client.read("DescribeCollection", self.client.of(&shape.first().name)).await?;
        let fields = described.schema.map(|schema| schema.fields).unwrap_or_default();
        let there = fields.into_iter().find(|field| field.is_partition_key).map(|field| field.name);
        let wanted = super::options::partition_field(&shape.part)?;
        if there == wanted {
            return Ok(());
        }
        let said = |field: Option<String>| field.map_or_else(|| "not spread".to_owned(), |field| format!("spread by `{field}`"));
        let why = format!(
            "the rows are {}, the entity says {}: change the option back, or move the rows to a new entity",
            said(there),
            said(wanted)
        );
        Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(shape.part.entity.name))
    }

    /// What was made under a name.
    async fn manifest(&self, collection: &str) -> Result<Manifest> {
        let described: Described = self.client.read("DescribeCollection", self.client.of(collection)).await?;
        // Milvus keeps the description, the embedded server the properties; both are written.
        let property = described.properties.into_iter().find(|pair| pair.key == MANIFEST).map(|pair| pair.value);
        let text = property.or_else(|| described.schema.map(|schema| schema.description)).unwrap_or_default();
        Manifest::from_json(&text).map_err(|_| {
            let why = format!("the collection `{collection}` was made by something else: choose another namespace or entity name");
            Error::new(ErrorKind::SchemaMismatch, why)
        })
    }

    async fn create(&self, shape: &Shape, collection: &Collection) -> Result<()> {
        let manifest = Manifest::of(&shape.part).to_json()?;
        let schema = CollectionSchema { name: collection.name.clone(), description: manifest.clone(), fields: shape.schema(collection)? };
        let request = CreateCollection {
            db_name: self.client.database(),
            collection_name: collection.name.clone(),
            schema: schema.encode_to_vec(),
            shards_num: 1,
            consistency_level: 0,
            properties: vec![KeyValuePair::new(MANIFEST, manifest)],
            num_partitions: super::options::partitions(&shape.part),
        };
        let _: Status = self.client.change("CreateCollection", request).await?;
        self.index(shape, collection).await?;
        self.load(&collection.name).await
    }

    /// Makes the index of a collection's vector, another one when the entity now asks for another.
    async fn index(&self, shape: &Shape, collection: &Collection) -> Result<()> {
        let (field, method, metric) = match collection.vector {
            Some(position) => {
                let column = &shape.part.columns[position];
                (value_field(column), Method::of(column)?, column.metric.unwrap_or_default())
            }
            None => (NO_VECTOR.to_owned(), Method::Flat, Metric::L2),
        };
        let (kind, parameters) = method.build();
        let of_index = OfIndex {
            db_name: self.client.database(),
            collection_name: collection.name.clone(),
            field_name: field.clone(),
            index_name: String::new(),
        };
        // A field without an index is an error of this call on some servers, and an empty answer on others.
        let described: DescribedIndex = match self.client.read("DescribeIndex", of_index.clone()).await {
            Err(error) if matches!(error.kind(), ErrorKind::Backend | ErrorKind::NotRegistered) => DescribedIndex::default(),
            other => other?,
        };
        if let Some(there) = described.index_descriptions.iter().find(|index| index.field_name == field) {
            let wanted: HashMap<String, serde_json::Value> = serde_json::from_str(&parameters).unwrap_or_default();
            if is_index(&there.params, kind, &wanted) {
                return Ok(());
            }
            let _: Status = self.client.change("ReleaseCollection", self.client.of(&collection.name)).await?;
            let _: Status = self.client.change("DropIndex", OfIndex { index_name: there.index_name.clone(), ..of_index.clone() }).await?;
        }
        let request = CreateIndex {
            db_name: self.client.database(),
            collection_name: collection.name.clone(),
            field_name: field,
            extra_params: vec![
                KeyValuePair::new("index_type", kind),
                KeyValuePair::new("metric_type", metric_name(metric)),
                KeyValuePair::new("params", parameters),
            ],
            index_name: String::new(),
        };
        let _: Status = self.client.change("CreateIndex", request).await?;
        Ok(())
    }

    /// Loads a collection and waits until it can be read.
    async fn load(&self, collection: &str) -> Result<()> {
        const LOADED: i32 = 3;
        let mut pause = Duration::from_millis(20);
        let deadline = deadline_after(self.timeout);
        let state = || GetLoadState { collection_name: collection.to_owned(), db_name: self.client.database() };
        let now: LoadState = self.client.read("GetLoadState", state()).await?;
        if now.state == LOADED {
            return Ok(());
        }
        let _: Status = self.client.change("LoadCollection", self.client.of(collection)).await?;
        loop {
            let now: LoadState = self.client.read("GetLoadState", state()).await?;
            if now.state == LOADED {
                return Ok(());
            }
            if std::time::Instant::now() > deadline {
                return Err(Error::new(ErrorKind::Timeout, "the server does not finish loading the collection"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    /// Drops a collection; says whether it was there.
    async fn drop_collection(&self, collection: &str) -> Result<bool> {
        if !self.client.has(collection).await? {
            return Ok(false);
        }
        let _: Status = self.client.change("DropCollection", self.client.of(collection)).await?;
        Ok(true)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let request = RenameCollection { db_name: self.client.database(), old_name: from.to_owned(), new_name: to.to_owned() };
        let _: Status = self.client.change("RenameCollection", request).await?;
        Ok(())
    }

    /// Makes the part anew with more fields, fills it with the rows there are, and puts it in the old one's place. Rows
    /// that another process writes meanwhile are lost: an entity evolves with no other writer.
    async fn evolve(&self, shape: &Shape, manifest: &Manifest, additions: &[usize]) -> Result<()> {
        let next = named_next(shape);
        for collection in next.collections.iter().rev() {
            self.drop_collection(&collection.name).await?;
            self.create(&next, collection).await?;
        }
        // The part as it was: the columns that the manifest names, which are all in the part.
        let known: Vec<usize> = (0..shape.part.columns.len()).filter(|i| !additions.contains(i)).collect();
        let columns = known.iter().map(|&i| shape.part.columns[i].clone()).collect();
        let old = Arc::new(Shape::of(&Arc::new(Part { columns, ..(*shape.part).clone() })));
        for collection in &old.collections {
            self.load(&collection.name).await?;
        }
        let positions = (0..old.part.columns.len()).collect();
        let mut walk = Walk::all(self.shared(), old, Expression::Always, positions);
        while let Some(mut page) = walk.next().await? {
            let mut rows = Vec::with_capacity(page.len());
            for row in 0..page.len() {
                let mut values: Vec<Value> =
                    shape.part.columns.iter().map(|column| column.default.map_or(Value::Null, |default| default())).collect();
                for (&position, value) in known.iter().zip(page.row_mut(row)) {
                    values[position] = value.take();
                }
                rows.push(Row { id: page.ids[row].clone(), version: page.versions[row], values });
            }
            self.put(&next, &rows).await?;
        }
        // From here on the new one holds everything: when this is cut short, `finish_renaming` goes on.
        for name in collections_of(&shape.first().name, manifest).iter().rev() {
            self.drop_collection(name).await?;
        }
        self.finish_renaming(shape).await.map(drop)
    }

    /// Puts new collections into the place of the old ones that are gone; says whether there were any.
    async fn finish_renaming(&self, shape: &Shape) -> Result<bool> {
        let first = format!("{}{NEXT}", shape.first().name);
        if !self.client.has(&first).await? {
            return Ok(false);
        }
        let manifest = self.manifest(&first).await?;
        for name in collections_of(&shape.first().name, &manifest) {
            let filled = format!("{name}{NEXT}");
            if self.client.has(&filled).await? {
                self.drop_collection(&name).await?;
                self.rename(&filled, &name).await?;
            }
            // The embedded server forgets on a new name that the collection was loaded.
            self.load(&name).await?;
        }
        Ok(true)
    }

    /// Drops the part.
    pub(super) async fn drop_part(&self, part: &Arc<Part>) -> Result<bool> {
        let turn = self.turn(&part.table);
        let _turn = turn.lock().await;
        for name in [format!("{}{NEXT}", part.table), part.table.clone()] {
            if !self.client.has(&name).await? {
                continue;
            }
            let manifest = self.manifest(&name).await?;
            if manifest.namespace != *part.namespace || manifest.entity != part.entity.name {
                let why = format!(
                    "the collection `{name}` belongs to the entity `{}` of the namespace `{}`: it stays",
                    manifest.entity, manifest.namespace
                );
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            let mut there = false;
            for collection in collections_of(&part.table, &manifest) {
                let ending = if name == part.table { "" } else { NEXT };
                there |= self.drop_collection(&format!("{collection}{ending}")).await?;
            }
            if name == part.table {
                return Ok(there);
            }
        }
        Ok(false)
    }
}

/// A shape whose collections have the names of those being filled.
fn named_next(shape: &Shape) -> Shape {
    let rename = |c: &Collection| Collection { name: format!("{}{NEXT}", c.name), vector: c.vector };
    Shape { collections: shape.collections.iter().map(rename).collect(), part: shape.part.clone() }
}

/// Whether an index is of this kind with these parameters. Servers give the parameters as one JSON text or one by one.
fn is_index(there: &[KeyValuePair], kind: &str, wanted: &HashMap<String, serde_json::Value>) -> bool {
    let value = |key: &str| there.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str());
    let together: HashMap<String, serde_json::Value> = value("params").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let number = |key: &str| {
        let apart = value(key).map(str::to_owned);
        apart.or_else(|| together.get(key).map(|v| v.to_string().trim_matches('"').to_owned()))
    };
    value("index_type") == Some(kind) && wanted.iter().all(|(key, v)| number(key).is_none_or(|there| there.parse().ok() == v.as_i64()))
}

/// Refuses what cannot work, before anything is made.
fn check(part: &Part) -> Result<()> {
    let refuse = |kind, why: &'static str| Err(Error::new(kind, why).of_entity(part.entity.name));
    if part.is_mapped() {
        return refuse(ErrorKind::Unsupported, "collections that exist already cannot be mapped on Milvus");
    }
    for column in &part.columns {
        if column.placement == Placement::VectorIndex {
            Method::of(column).map_err(|e| e.of_entity(part.entity.name))?;
        } else if let Some(method) = column.index.map(|index| index.method).filter(|method| !method.is_empty()) {
            let why = format!("Milvus has no index `{method}` for values: say `index` alone, or nothing");
            return Err(Error::new(ErrorKind::InvalidSchema, why).at_field(column.name).of_entity(part.entity.name));
        }
    }
    let opaque = |&c: &usize| {
        let logical = part.columns[c].logical;
        matches!(logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_))
    };
    if part.unique_groups().iter().flatten().any(opaque) {
        return refuse(ErrorKind::InvalidSchema, "a JSON value, a list or a vector cannot be unique on Milvus");
    }
    Ok(())
}
