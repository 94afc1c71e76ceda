use serde::{Deserialize, Serialize};

use crate::capability::Placement;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, DIGEST_PREFIX, Part};

/// What was created under one physical name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The namespace of the workspace that created it.
    pub namespace: String,
    /// The entity.
    pub entity: String,
    /// The columns.
    pub columns: Vec<ManifestColumn>,
    /// Groups of fields that are unique.
    #[serde(default)]
    pub uniques: Vec<Vec<String>>,
}

/// One column that was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManifestColumn {
    /// The field.
    pub field: String,
    /// The column's name.
    pub physical: String,
    /// The logical type, as it displays.
    pub logical: String,
    /// Whether it may be null.
    pub nullable: bool,
    /// How it lies.
    pub placement: Placement,
    /// The metric of a vector.
    #[serde(default)]
    pub metric: Option<crate::types::Metric>,
}

impl From<&Column> for ManifestColumn {
    fn from(column: &Column) -> Self {
        ManifestColumn {
            field: column.name.to_owned(),
            physical: column.physical.clone(),
            logical: column.logical.to_string(),
            nullable: column.nullable,
            placement: column.placement,
            metric: column.metric,
        }
    }
}

impl Manifest {
    /// What a part asks for.
    pub fn of(part: &Part) -> Self {
        let names = |group: Vec<usize>| group.iter().filter_map(|&i| part.columns.get(i)).map(|c| c.name.to_owned()).collect();
        Manifest {
            namespace: part.namespace.to_string(),
            entity: part.entity.name.to_owned(),
            columns: part.columns.iter().map(ManifestColumn::from).collect(),
            uniques: part.unique_groups().into_iter().map(names).collect(),
        }
    }

    /// Compares what is there with what a part asks for: the positions of the columns to add.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`], naming what differs, for anything but new columns that are nullable or have a
    /// default.
    pub fn additions(&self, part: &Part) -> Result<Vec<usize>> {
        let mismatch = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
        if self.namespace != *part.namespace || self.entity != part.entity.name {
            return Err(mismatch(format!(
                "the table `{}` belongs to the entity `{}` of the namespace `{}`: choose another namespace or entity name",
                part.table, self.entity, self.namespace
            )));
        }
        for there in &self.columns {
            let Some((_, asked)) = part.column(&there.field) else {
                if let Some(field) = there.field.strip_prefix(DIGEST_PREFIX) {
                    let why = "its stored vectors are embedded, and the entity no longer says so: keep `#[compute(embed, …)]`, or move the \
                               rows to a new entity";
                    return Err(mismatch(why.into()).at_field(field.to_owned()));
                }
                return Err(mismatch("stored, but the entity no longer has it here: keep the field, or drop the entity".into())
                    .at_field(there.field.clone()));
            };
            let asked = ManifestColumn::from(asked);
            if asked != *there {
                let what = describe_difference(there, &asked);
                return Err(
                    mismatch(format!("{what}: change the field back, or move the rows to a new entity")).at_field(there.field.clone())
                );
            }
        }
        let known = |name: &str| self.columns.iter().any(|c| c.field == name);
        let asked = Manifest::of(part).uniques;
        let old_groups = asked.iter().filter(|group| group.iter().all(|name| known(name)));
        if let Some(group) = old_groups.clone().find(|group| !self.uniques.contains(group)) {
            return Err(mismatch(format!("unique({}) is asked for, but the stored rows are not unique so", group.join(", "))));
        }
        if let Some(group) = self.uniques.iter().find(|group| !asked.contains(group)) {
            return Err(mismatch(format!("the stored rows are unique({}), the entity does not say so", group.join(", "))));
        }
        let mut additions = Vec::new();
        for (position, column) in part.columns.iter().enumerate().filter(|(_, c)| !known(c.name)) {
            if !column.nullable && column.default.is_none() {
                let why = "a new field that is neither optional nor has a default: old rows have no value for it";
                return Err(mismatch(why.into()).at_field(column.name));
            }
            additions.push(position);
        }
        Ok(additions)
    }

    /// The manifest's columns and uniques as they are stored.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it cannot be serialised, which does not happen.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::new(ErrorKind::Internal, "the manifest cannot be serialised").caused_by(e))
    }

    /// Reads what [`Manifest::to_json`] wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when it is something else.
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::Corrupt, "the manifest of a table cannot be read").caused_by(e))
    }
}

fn describe_difference(there: &ManifestColumn, asked: &ManifestColumn) -> String {
    let said = |optional: bool| if optional { "optional" } else { "not optional" };
    if there.logical != asked.logical {
        format!("stored as {}, the entity says {}", there.logical, asked.logical)
    } else if there.nullable != asked.nullable {
        format!("stored as {}, the entity says {}", said(there.nullable), said(asked.nullable))
    } else if there.placement != asked.placement {
        format!("stored as {}, the entity says {}", there.placement, asked.placement)
    } else if there.metric != asked.metric {
        "stored for another metric than the entity says".to_owned()
    } else {
        format!("stored in the column `{}`, the entity says `{}`", there.physical, asked.physical)
    }
}
