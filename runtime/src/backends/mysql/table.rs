//! A part's table as SQL: the types of its columns within the server's limits, what lies beside them, and its keys.

use std::borrow::Cow;

use super::dialect::{MySqlDialect, SHORT, is_short};
use super::json;
use crate::backends::sql::{Dialect, Sql, Statement, ddl};
use crate::capability::Placement;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{LogicalType, Value};

/// Most bytes that a row's columns of bounded type may declare together; the servers stop at 65,535.
const ROW: usize = 60_000;

/// Most bytes of a key, all its columns together.
const KEY: usize = 3_072;

/// The columns of a part as they lie in the table.
pub(super) struct Table<'p> {
    dialect: &'p MySqlDialect,
    part: &'p Part,
    /// Whether a column that could be of a bounded type is not, so that the row's limit is kept.
    demoted: Vec<bool>,
}

/// Bytes that a column takes in a key; `None` where only a piece of it can stand in one.
fn key_bytes(column: &Column) -> Option<usize> {
    Some(match &column.logical {
        LogicalType::Text { max } if is_short(&column.logical) => *max as usize * 4,
        logical if is_short(logical) => SHORT as usize * 4,
        LogicalType::Bool | LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp | LogicalType::Date => 8,
        LogicalType::Float => 8,
        LogicalType::Decimal { .. } => 24,
        LogicalType::Uuid => 16,
        _ => return None,
    })
}

fn is_text(column: &Column) -> bool {
    matches!(column.logical, LogicalType::Ref(_) | LogicalType::Id | LogicalType::Text { .. } | LogicalType::Category(_))
}

/// The name of the generated column with the digest of a column that is too long for a key.
fn digest_name(column: &Column) -> String {
    ddl::beside_name(column, "digest")
}

/// How a column stands in a unique key.
enum Unique {
    Whole,
    Digest,
}

impl<'p> Table<'p> {
    pub(super) fn new(dialect: &'p MySqlDialect, part: &'p Part) -> Self {
        let mut demoted = vec![false; part.columns.len()];
        let in_group = |position: usize| part.unique_groups().iter().chain(&part.index_groups()).any(|group| group.contains(&position));
        let mut bytes = SHORT as usize * 4 + 8;
        let mut order: Vec<usize> = (0..part.columns.len()).collect();
        // What stands in a key keeps its type first.
        order.sort_by_key(|&i| !(part.columns[i].index.is_some() || in_group(i)));
        for i in order {
            let Some(wide) = key_bytes(&part.columns[i]) else { continue };
            // Two bytes say how long a text is.
            if bytes + wide + 2 > ROW && is_text(&part.columns[i]) {
                demoted[i] = true;
            } else {
                bytes += wide + 2;
            }
        }
        Table { dialect, part, demoted }
    }

    fn position(&self, column: &Column) -> usize {
        self.part.columns.iter().position(|other| other.name == column.name).unwrap_or(usize::MAX)
    }

    fn is_long(&self, column: &Column) -> bool {
        key_bytes(column).is_none() || self.demoted.get(self.position(column)).copied().unwrap_or(false)
    }

    /// The type of a column.
    pub(super) fn column_type(&self, column: &Column) -> Cow<'static, str> {
        if self.demoted.get(self.position(column)).copied().unwrap_or(false) {
            return self.dialect.long_text().into();
        }
        self.dialect.column_type(&column.logical, column.placement)
    }

    /// The definitions of a column and of what lies beside it.
    fn definitions(&self, column: &Column, required: bool) -> Vec<Statement> {
        let mut sql = Sql::new(self.dialect);
        sql.name(&column.physical).push(" ").push_type(&self.column_type(column)).push(if required { " NOT NULL" } else { "" });
        let mut all = vec![sql.finish()];
        if column.logical == LogicalType::Json {
            let mut sql = Sql::new(self.dialect);
            sql.name(&json::digest_name(column)).push(" BINARY(32)");
            all.push(sql.finish());
        }
        if let Some((name, kind)) = self.dialect.vectors.and_then(|vectors| vectors.beside(column)) {
            let mut sql = Sql::new(self.dialect);
            sql.name(&name).push(" ").push_type(&kind);
            all.push(sql.finish());
        }
        let groups = self.part.unique_groups();
        let position = self.position(column);
        let digested = groups
            .iter()
            .any(|group| self.unique_key(group).iter().zip(group).any(|(how, &at)| at == position && matches!(how, Unique::Digest)));
        if digested && column.logical != LogicalType::Json {
            let mut sql = Sql::new(self.dialect);
            sql.name(&digest_name(column)).push(" VARBINARY(64) GENERATED ALWAYS AS (SHA2(").name(&column.physical).push(", 256)) STORED");
            all.push(sql.finish());
        }
        all
    }

    /// How each column of a group stands in its unique key: as a digest where the key would be too long.
    fn unique_key(&self, group: &[usize]) -> Vec<Unique> {
        // A digest has 64 letters.
        let short = |position: usize| self.part.columns.get(position).filter(|c| !self.is_long(c)).and_then(key_bytes);
        let total: usize = group.iter().map(|&position| short(position).unwrap_or(64)).sum();
        let whole = |position: usize| match short(position) {
            Some(bytes) if total <= KEY || bytes <= 64 => Unique::Whole,
            _ => Unique::Digest,
        };
        group.iter().map(|&position| whole(position)).collect()
    }

    /// `CREATE TABLE`, with all keys but those of words, items and vectors.
    pub(super) fn create(&self) -> Statement {
        let mut sql = Sql::new(self.dialect);
        sql.push("CREATE TABLE ").table(self.part).push(" (").name(self.part.id_column()).push(" ");
        sql.push_type(&self.dialect.short_text(SHORT)).push(" NOT NULL PRIMARY KEY, ").name(VERSION_COLUMN).push(" BIGINT NOT NULL");
        for column in ddl::storage_order(self.part) {
            for definition in self.definitions(column, !column.nullable) {
                sql.push(", ").push_type(&definition.text);
            }
        }
        for (_, key) in self.keys() {
            sql.push(", ").push_type(&key.text);
        }
        sql.push(")").push(self.dialect.table_options());
        sql.finish()
    }

    /// The names of the columns that a field has, and the statements that add them, nullable.
    pub(super) fn additions(&self, column: &Column) -> Vec<(String, Statement)> {
        let mut names = vec![column.physical.clone(), json::digest_name(column), digest_name(column)];
        names.extend(self.dialect.vectors.and_then(|vectors| vectors.beside(column)).map(|(name, _)| name));
        let definitions = self.definitions(column, false);
        let named = |definition: Statement| {
            let quoted = |name: &str| {
                let mut text = String::new();
                self.dialect.quote(name, &mut text);
                text
            };
            let name = names.iter().find(|name| definition.text.starts_with(&quoted(name))).cloned().unwrap_or_default();
            let mut sql = Sql::new(self.dialect);
            sql.push("ALTER TABLE ").table(self.part).push(" ADD COLUMN ").push_type(&definition.text);
            (name, sql.finish())
        };
        definitions.into_iter().map(named).collect()
    }

    /// The keys with their names, as they stand in a `CREATE TABLE` or after `ALTER TABLE … ADD`.
    pub(super) fn keys(&self) -> Vec<(String, Statement)> {
        let mut keys = Vec::new();
        let columns = |group: &[usize]| group.iter().filter_map(|&i| self.part.columns.get(i)).collect::<Vec<_>>();
        for group in self.part.unique_groups() {
            let name = ddl::index_name(self.dialect, self.part, &columns(&group), true);
            let mut sql = Sql::new(self.dialect);
            sql.push("UNIQUE KEY ").name(&name).push(" (");
            for (i, (column, how)) in columns(&group).into_iter().zip(self.unique_key(&group)).enumerate() {
                sql.push(if i > 0 { ", " } else { "" });
                match how {
                    Unique::Whole => sql.name(&column.physical),
                    Unique::Digest if column.logical == LogicalType::Json => sql.name(&json::digest_name(column)),
                    Unique::Digest => sql.name(&digest_name(column)),
                };
            }
            sql.push(")");
            keys.push((name, sql.finish()));
        }
        let plain =
            |c: &&Column| matches!(c.placement, Placement::InlineColumn | Placement::InvertedIndex) && c.index.is_some() && !c.unique;
        let singles = self.part.columns.iter().filter(plain).map(|column| vec![column]);
        for group in self.part.index_groups().iter().map(|group| columns(group)).chain(singles) {
            let name = ddl::index_name(self.dialect, self.part, &group, false);
            keys.push((name.clone(), self.key(&name, &group)));
        }
        keys
    }

    fn key(&self, name: &str, columns: &[&Column]) -> Statement {
        let fixed: usize = columns.iter().filter(|c| !self.is_long(c) && !is_text(c)).filter_map(|c| key_bytes(c)).sum();
        let texts = columns.iter().filter(|c| self.is_long(c) || is_text(c)).count().max(1);
        // Characters of each text that the key has room for.
        let room = KEY.saturating_sub(fixed) / texts / 4;
        let mut sql = Sql::new(self.dialect);
        sql.push("KEY ").name(name).push(" (");
        for (i, column) in columns.iter().enumerate() {
            sql.push(if i > 0 { ", " } else { "" }).name(&column.physical);
            let whole = key_bytes(column).filter(|_| !self.is_long(column)).is_some_and(|bytes| !is_text(column) || bytes <= room * 4);
            if !whole {
                let bytes = self.dialect.server.keeps_bytes() || matches!(column.logical, LogicalType::Bytes);
                sql.push("(").number(room.min(191) * if bytes { 4 } else { 1 }).push(")");
            }
        }
        sql.push(")");
        sql.finish()
    }
}

/// What the entity asks for that can be refused before anything runs.
pub(super) fn check(dialect: &MySqlDialect, part: &Part) -> Result<()> {
    let refuse =
        |why: String, column: &Column| Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name));
    for column in &part.columns {
        if let Some(vectors) = dialect.vectors.filter(|_| column.placement == Placement::VectorIndex) {
            vectors.create_index(dialect, part, column)?;
            continue;
        }
        let Some(index) = column.index else { continue };
        if !index.method.is_empty() || !index.parameters.is_empty() {
            let why = format!("no index method `{}` on a {} field here: say `index` alone", index.method, column.logical.class());
            return refuse(why, column);
        }
        match (&column.logical, column.placement) {
            (LogicalType::List(_), Placement::InlineColumn) => {
                return refuse("a list within the row has no index here: store it as SideTable, whose items have one".to_owned(), column);
            }
            (LogicalType::Json | LogicalType::Vector(_), _) => {
                return refuse(format!("a {} field has no index here: leave `index` out", column.logical.class()), column);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives rows written before a column existed its default, and the digest of it.
pub(super) fn fill(dialect: &MySqlDialect, part: &Part, column: &Column) -> Option<(Statement, Value)> {
    let value = column.default.map(|default| default()).filter(|value| !value.is_null())?;
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").table(part).push(" SET ").name(&column.physical).push(" = ");
    sql.bind(dialect.stored(&column.logical, value.clone()));
    if let Value::Json(json) = &value {
        sql.push(", ").name(&json::digest_name(column)).push(" = ").bind(json::digest(json));
    }
    sql.push(" WHERE ").name(&column.physical).push(" IS NULL");
    Some((sql.finish(), value))
}
