use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::disk::{io_error, replace_file, sync_directory, unsettled};
use super::{Place, corrupt};
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};

/// What a part's directory was made for: `manifest.json` in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    format: u32,
    kind: String,
    namespace: String,
    entity: String,
    /// Differs for a part that was dropped and made anew.
    #[serde(default)]
    made: String,
    columns: Vec<ManifestColumn>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ManifestColumn {
    name: String,
    stored_name: String,
    #[serde(rename = "type")]
    logical: String,
    nullable: bool,
    placement: String,
}

const FORMAT: u32 = 1;

fn path(at: &Place) -> std::path::PathBuf {
    at.directory.join("manifest.json")
}

impl Manifest {
    /// What the part says.
    pub fn of(at: &Place, kind: &str) -> Self {
        let column = |c: &crate::schema::Column| ManifestColumn {
            name: c.name.to_owned(),
            stored_name: c.physical.clone(),
            logical: c.logical.to_string(),
            nullable: c.nullable,
            placement: c.placement.to_string(),
        };
        Manifest {
            format: FORMAT,
            kind: kind.to_owned(),
            namespace: at.part.namespace.to_string(),
            entity: at.part.entity.name.to_owned(),
            made: String::new(),
            columns: at.part.columns.iter().map(column).collect(),
        }
    }

    /// What the directory says, if it has a manifest.
    pub fn read(at: &Place) -> Result<Option<Self>> {
        let path = path(at);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error(e, "read", &path)),
        };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|e| corrupt(&path, format_args!("line {}, column {}", e.line(), e.column()), "not a manifest"))?;
        if manifest.format != FORMAT {
            return Err(Error::new(ErrorKind::SchemaMismatch, "these files were written by a newer version: update this program")
                .with("file", path.display())
                .with("format", manifest.format));
        }
        Ok(Some(manifest))
    }

    /// Creates the manifest, or checks it and adds new fields. Only under the lock.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`], saying what differs.
    pub fn ensure(at: &Place, kind: &str) -> Result<Ensured> {
        let mut wanted = Manifest::of(at, kind);
        let Some(found) = Self::read(at)? else {
            wanted.made = uuid::Uuid::now_v7().to_string();
            wanted.write(at)?;
            return Ok(Ensured { created: true, ..Ensured::default() });
        };
        let added = wanted.added_to(&found, at)?;
        wanted.made = found.made.clone();
        if wanted != found {
            wanted.write(at)?;
        }
        Ok(Ensured { added, ..Ensured::default() })
    }

    /// Whether this part can be read and written under the manifest found: nobody evolved or dropped it meanwhile.
    /// Answers what differs for a part that was made anew.
    pub fn check(at: &Place, kind: &str) -> Result<String> {
        let Some(found) = Self::read(at)? else {
            return Err(Error::new(ErrorKind::NotRegistered, "nothing is stored here, or it was dropped: register the entity first")
                .of_entity(at.part.entity.name)
                .with("directory", at.directory.display()));
        };
        let wanted = Manifest::of(at, kind);
        let added = wanted.added_to(&found, at)?;
        match added.first() {
            None => Ok(found.made),
            Some(field) => Err(at.mismatch("the field is new to these files: register the entity first").at_field(field.clone())),
        }
    }

    /// Whether this is the manifest of the part's own entity and namespace.
    pub fn same_owner(&self, at: &Place, kind: &str) -> Result<()> {
        if self.kind == kind && *self.namespace == *at.part.namespace && self.entity == at.part.entity.name {
            return Ok(());
        }
        Err(at
            .mismatch("the directory belongs to another entity or namespace: choose another directory")
            .with("found", format_args!("{} {}/{}", self.kind, self.namespace, self.entity)))
    }

    fn write(&self, at: &Place) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "a manifest could not be written as JSON").caused_by(e))?;
        replace_file(&path(at), &text)?;
        sync_directory(&at.directory).map_err(unsettled)
    }

    /// The fields that this has and `found` lacks; an error for every other difference.
    fn added_to(&self, found: &Manifest, at: &Place) -> Result<Vec<String>> {
        found.same_owner(at, &self.kind)?;
        for old in &found.columns {
            let Some(new) = self.columns.iter().find(|c| c.stored_name == old.stored_name) else {
                return Err(at.mismatch("a stored field is gone from the entity").at_field(old.name.clone()));
            };
            let difference = if new.logical != old.logical {
                Some(("type", &old.logical, &new.logical))
            } else if new.placement != old.placement {
                Some(("placement", &old.placement, &new.placement))
            } else if new.name != old.name {
                Some(("name", &old.name, &new.name))
            } else {
                None
            };
            if let Some((what, stored, wanted)) = difference {
                let error =
                    at.mismatch("a stored field differs from the entity's: give the new one another name").at_field(new.name.clone());
                return Err(error.with("differs", what).with("stored", stored).with("wanted", wanted));
            }
            if new.nullable != old.nullable {
                let error = at.mismatch("a stored field differs from the entity's in whether it may be null").at_field(new.name.clone());
                return Err(error.with("stored", nullability(old)).with("wanted", nullability(new)));
            }
        }
        let mut added = Vec::new();
        for (new, column) in self.columns.iter().zip(&at.part.columns) {
            if found.columns.iter().any(|c| c.stored_name == new.stored_name) {
                continue;
            }
            if !column.nullable && column.default.is_none() {
                let error = at.mismatch("a new field must be nullable or have a default: stored rows have no value for it");
                return Err(error.at_field(column.name));
            }
            added.push(new.name.clone());
        }
        Ok(added)
    }
}

fn nullability(column: &ManifestColumn) -> &'static str {
    if column.nullable { "nullable" } else { "not nullable" }
}

impl Place {
    /// What is stored is not what the entity says.
    pub fn mismatch(&self, why: &'static str) -> Error {
        Error::new(ErrorKind::SchemaMismatch, why).of_entity(self.part.entity.name).with("directory", self.directory.display())
    }
}
