use super::{BackendOption, Binding, EntitySchema, Index, Key, KeyKind, physical_name};
use crate::capability::Placement;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{LogicalType, Metric, Value};
use std::sync::Arc;

/// What one backend holds of one entity: a table, a collection, an index, a file.
///
/// Every part has a row for every row of the entity: id, version, and its columns.
#[derive(Clone, Debug)]
pub struct Part {
    /// The whole entity.
    pub entity: &'static EntitySchema,
    /// The workspace's namespace: two namespaces share nothing.
    pub namespace: Arc<str>,
    /// The backend's name in the layout.
    pub backend: &'static str,
    /// The kind whose capabilities hold.
    pub kind: &'static str,
    /// Whether this part decides that a row exists.
    pub owner: bool,
    /// The physical name of the table or collection, within the backend's limit. Of a table that exists already the names
    /// of its path with dots between: for messages; statements take [`path`](Part::path).
    pub table: String,
    /// The columns, in the entity's field order.
    pub columns: Vec<Column>,
}

/// One field in one part.
#[derive(Clone, Debug)]
pub struct Column {
    /// Position of the field in [`EntitySchema::fields`].
    pub field: usize,
    /// The field's name.
    pub name: &'static str,
    /// The physical name, within the backend's limit.
    pub physical: String,
    /// The logical type.
    pub logical: LogicalType,
    /// Whether it may be null.
    pub nullable: bool,
    /// How it lies.
    pub placement: Placement,
    /// Whether this is a copy.
    pub copy: bool,
    /// The index asked for.
    pub index: Option<Index>,
    /// Whether values are unique.
    pub unique: bool,
    /// The metric of a vector.
    pub metric: Option<Metric>,
    /// The value of rows that were written before the field existed.
    pub default: Option<fn() -> Value>,
}

impl Part {
    /// A column and its position, by field name.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, c)| c.name == name)
    }

    /// The position of the column that holds a field of the entity.
    pub fn position_of_field(&self, field: usize) -> Option<usize> {
        self.columns.iter().position(|c| c.field == field)
    }

    /// The names that lead to the table, outermost first: one, but for a table that exists already. Each is quoted by
    /// itself; in SQL, [`Sql::table`](crate::backends::sql::Sql::table) writes the path.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        let existing = self.entity.existing.map_or(&[][..], |table| table.path);
        existing.iter().copied().chain(existing.is_empty().then_some(self.table.as_str()))
    }

    /// What the entity tells this backend: names and values.
    pub fn options(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let own = |option: &&BackendOption| option.backend == self.backend;
        self.entity.options.iter().filter(own).map(|option| (option.name, option.value))
    }

    /// The value of an option that the entity tells this backend.
    pub fn option(&self, name: &str) -> Option<&'static str> {
        self.options().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// The column that is the row's id, and what it holds.
    pub fn key(&self) -> Key {
        let own = Key { column: super::ID_COLUMN, kind: KeyKind::Text };
        self.entity.existing.map_or(own, |table| Key { column: table.key, kind: table.kind })
    }

    /// The physical name of the id column.
    pub fn id_column(&self) -> &'static str {
        self.key().column
    }

    /// The column that holds the row's version; `None` on a table that exists already, whose rows have version 0.
    pub fn version(&self) -> Option<&'static str> {
        (!self.is_mapped()).then_some(super::VERSION_COLUMN)
    }

    /// Whether the part lies on a table that exists already: no version, no manifest, no child tables.
    pub fn is_mapped(&self) -> bool {
        self.entity.existing.is_some()
    }

    /// The groups of columns that are unique, single columns first: positions in [`Part::columns`].
    pub fn unique_groups(&self) -> Vec<Vec<usize>> {
        let single = self.columns.iter().enumerate().filter(|(_, c)| c.unique).map(|(i, _)| vec![i]);
        single.chain(self.groups(self.entity.uniques)).collect()
    }

    /// The groups of columns that an index covers together.
    pub fn index_groups(&self) -> Vec<Vec<usize>> {
        self.groups(self.entity.indexes).collect()
    }

    fn groups(&self, groups: &'static [&'static [&'static str]]) -> impl Iterator<Item = Vec<usize>> {
        groups.iter().filter_map(|group| group.iter().map(|name| self.column(name).map(|(i, _)| i)).collect())
    }
}

/// Where the parts of one entity lie: the owner's first, then the others in the layout's order.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The entity.
    pub entity: &'static EntitySchema,
    /// The parts; `parts[0]` is the owner's.
    pub parts: Vec<Arc<Part>>,
}

impl Routing {
    /// Lays an entity out over a layout's backends.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for a backend the layout lacks, names that collide, a uniqueness that the owner cannot
    /// decide, or an index over fields of several backends.
    pub fn new(entity: &'static EntitySchema, namespace: &Arc<str>, default: &'static str, bindings: &[Binding]) -> Result<Self> {
        let owner = entity.owner.unwrap_or(default);
        let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why).of_entity(entity.name);
        if !bindings.iter().any(|b| b.name == owner) {
            return Err(invalid(format!("the layout has no backend `{owner}` to own the rows")));
        }
        let name_of = |backend: &'static str| if backend.is_empty() { default } else { backend };
        for field in entity.fields {
            for place in field.placements {
                if !bindings.iter().any(|b| b.name == name_of(place.backend)) {
                    return Err(invalid(format!("the layout has no backend `{}`", place.backend)).at_field(field.name));
                }
                if place.unique && name_of(place.backend) != owner {
                    return Err(invalid(format!("unique is decided by the owner `{owner}`: store the field there")).at_field(field.name));
                }
            }
        }
        for option in entity.options {
            let Some(binding) = bindings.iter().find(|b| b.name == option.backend) else {
                return Err(invalid(format!("the layout has no backend `{}` to be told `{}`", option.backend, option.name)));
            };
            binding.driver.check_option(option.name, option.value).map_err(|e| e.of_entity(entity.name).on_backend(binding.name))?;
        }
        let mut parts = Vec::new();
        for binding in bindings {
            let columns: Vec<Column> = entity
                .fields
                .iter()
                .enumerate()
                .flat_map(|(position, field)| field.placements.iter().map(move |place| (position, field, place)))
                .filter(|(_, _, place)| name_of(place.backend) == binding.name)
                .map(|(position, field, place)| Column {
                    field: position,
                    name: field.name,
                    // The columns of a table that exists already are called what they are called.
                    physical: match entity.existing {
                        Some(_) => field.stored_name.to_owned(),
                        None => physical_name(&binding.driver.description().naming, &[field.stored_name]),
                    },
                    logical: field.logical,
                    nullable: field.nullable,
                    placement: place.placement,
                    copy: place.copy,
                    index: place.index,
                    unique: place.unique,
                    metric: place.metric,
                    default: field.default,
                })
                .collect();
            let is_owner = binding.name == owner;
            if columns.is_empty() && !is_owner {
                continue;
            }
            for (i, column) in columns.iter().enumerate() {
                let taken = |other: &Column| other.physical.eq_ignore_ascii_case(&column.physical);
                if columns[..i].iter().any(taken) {
                    return Err(invalid(format!(
                        "two fields are stored as `{}` on `{}`: give one another name with #[store(name = …)]",
                        column.physical, binding.name
                    ))
                    .at_field(column.name));
                }
            }
            let naming = &binding.driver.description().naming;
            let table =
                entity.existing.map_or_else(|| physical_name(naming, &[namespace, entity.name]), |existing| existing.path.join("."));
            let part =
                Part { entity, namespace: namespace.clone(), backend: binding.name, kind: binding.kind, owner: is_owner, table, columns };
            if is_owner { parts.insert(0, Arc::new(part)) } else { parts.push(Arc::new(part)) }
        }
        if let (Some(_), Some(other)) = (entity.existing, parts.get(1)) {
            return Err(invalid(format!(
                "an existing table has no versions by which a row's parts on several backends could be held together: store every \
                 field on `{owner}`, or those of `{}` in an entity of their own",
                other.backend
            )));
        }
        for group in entity.uniques {
            if parts[0].columns.iter().filter(|c| group.contains(&c.name)).count() != group.len() {
                return Err(invalid(format!(
                    "unique({}) is decided by the owner `{owner}`: store every field of it there",
                    group.join(", ")
                )));
            }
        }
        for group in entity.indexes {
            let holds = |part: &Arc<Part>| group.iter().all(|name| part.column(name).is_some());
            if !parts.iter().any(holds) {
                return Err(invalid(format!("index({}) lies on one backend: none has all of its fields", group.join(", "))));
            }
        }
        Ok(Routing { entity, parts })
    }
}
