//! Tables and indexes as SQL, and the names of what belongs to a part beside its table.

use super::{Dialect, Sql, Statement};
use crate::capability::Placement;
#[cfg(any(feature = "mssql", feature = "oracle", feature = "trino", feature = "starrocks"))]
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part, VERSION_COLUMN, physical_name};
use crate::types::LogicalType;

/// The columns in the order in which they lie in the table: what is short and filtered by first, what is long last, so
/// that a scan passes over it.
pub fn storage_order(part: &Part) -> Vec<&Column> {
    let mut columns: Vec<&Column> = part.columns.iter().collect();
    columns.sort_by_key(|column| match column.logical {
        LogicalType::Text { max } if max > 1_024 => 1,
        LogicalType::List(_) => 2,
        LogicalType::Json => 3,
        LogicalType::Bytes => 4,
        LogicalType::Vector(_) => 5,
        _ => 0,
    });
    columns
}

/// The table: id, version, columns.
pub fn create_table(dialect: &dyn Dialect, part: &Part) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").table(part).push(" (").name(part.id_column()).push(" ");
    sql.push_type(&dialect.column_type(&LogicalType::Id, Placement::InlineColumn)).push(" NOT NULL PRIMARY KEY, ");
    sql.name(VERSION_COLUMN).push(" ").push(dialect.version_type()).push(" NOT NULL");
    for column in storage_order(part).into_iter().filter(|column| !dialect.lies_apart(part, column)) {
        sql.push(", ").name(&column.physical).push(" ").push_type(&dialect.column_type(&column.logical, column.placement));
        if !column.nullable {
            sql.push(" NOT NULL");
        }
    }
    sql.push(")").push(dialect.table_options());
    sql.finish()
}

/// Adds a column, nullable: [`fill_column`] then gives old rows their value.
pub fn add_column(dialect: &dyn Dialect, part: &Part, column: &Column) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("ALTER TABLE ").table(part).push(" ADD COLUMN ").name(&column.physical).push(" ");
    sql.push_type(&dialect.column_type(&column.logical, column.placement));
    sql.finish()
}

/// Gives rows written before a column existed its default, if it has one.
pub fn fill_column(dialect: &dyn Dialect, part: &Part, column: &Column) -> Option<Statement> {
    let value = column.default?();
    if value.is_null() {
        return None;
    }
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").table(part).push(" SET ").name(&column.physical).push(" = ");
    sql.bind(dialect.stored(&column.logical, value)).push(" WHERE ").name(&column.physical).push(" IS NULL");
    Some(sql.finish())
}

/// The indexes of a part: unique groups, index groups, and columns that ask for one (vectors and words apart).
pub fn create_indexes(dialect: &dyn Dialect, part: &Part) -> Vec<Statement> {
    let columns = |group: &[usize]| group.iter().filter_map(|&i| part.columns.get(i)).collect::<Vec<_>>();
    let mut groups: Vec<(Vec<&Column>, bool)> = part.unique_groups().iter().map(|g| (columns(g), true)).collect();
    groups.extend(part.index_groups().iter().map(|g| (columns(g), false)));
    let plain = |c: &&Column| matches!(c.placement, Placement::InlineColumn | Placement::InvertedIndex);
    groups.extend(part.columns.iter().filter(|c| c.index.is_some() && !c.unique).filter(plain).map(|c| (vec![c], false)));
    groups.iter().filter_map(|(group, unique)| dialect.index(part, group, *unique)).collect()
}

/// `CREATE [UNIQUE] INDEX IF NOT EXISTS … ON … (…)`.
pub fn create_index(dialect: &dyn Dialect, part: &Part, columns: &[&Column], unique: bool) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push(if unique { "CREATE UNIQUE INDEX IF NOT EXISTS " } else { "CREATE INDEX IF NOT EXISTS " });
    sql.name(&index_name(dialect, part, columns, unique)).push(" ON ").table(part).push(" (");
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            sql.push(", ");
        }
        sql.name(&column.physical);
    }
    sql.push(")");
    sql.finish()
}

/// The name of an index. Injective, and never that of a table.
pub fn index_name(dialect: &dyn Dialect, part: &Part, columns: &[&Column], unique: bool) -> String {
    let mut path: Vec<&str> = vec![&part.namespace, part.entity.name];
    path.extend(columns.iter().map(|c| c.physical.as_str()));
    path.push(if unique { "unique" } else { "index" });
    physical_name(&dialect.naming(), &path)
}

/// The fields of the unique group whose index has a name, as a server gives it; case does not count, which some servers change.
#[cfg(feature = "_network")]
pub(crate) fn unique_fields(dialect: &dyn Dialect, part: &Part, index: &str) -> Option<String> {
    let columns = |group: &[usize]| -> Vec<&Column> { group.iter().filter_map(|&i| part.columns.get(i)).collect() };
    let mut groups = part.unique_groups().into_iter().map(|group| columns(&group));
    let group = groups.find(|group| index_name(dialect, part, group, true).eq_ignore_ascii_case(index))?;
    Some(group.iter().map(|column| column.name).collect::<Vec<_>>().join(", "))
}

/// The name of what belongs to a part beside its table: `purpose` is `items`, `words`, …
pub fn child_name(dialect: &dyn Dialect, part: &Part, column: Option<&Column>, purpose: &str) -> String {
    let field = column.map_or("_", |c| c.physical.as_str());
    physical_name(&dialect.naming(), &[&part.namespace, part.entity.name, field, purpose])
}

/// The name of a column of ours beside a field's own: `purpose` is `words`, `json`, … No field's column has such a name.
pub fn beside_name(column: &Column, purpose: &str) -> String {
    format!("_hb_{purpose}_{}", &blake3::hash(column.physical.as_bytes()).to_hex()[..16])
}

/// The columns whose lists have a child table.
pub fn side_columns(part: &Part) -> impl Iterator<Item = (usize, &Column)> {
    part.columns.iter().enumerate().filter(|(_, c)| c.placement == Placement::SideTable)
}

/// The child table of a list, and the index that finds rows by item. The list itself stays in the row, which answers
/// reads; the child answers `has`.
pub fn create_side_table(dialect: &dyn Dialect, part: &Part, column: &Column) -> Vec<Statement> {
    let child = child_name(dialect, part, Some(column), "items");
    let item = match column.logical {
        LogicalType::List(item) => *item,
        other => other,
    };
    let mut table = Sql::new(dialect);
    table.push("CREATE TABLE IF NOT EXISTS ").name(&child).push(" (").name("owner").push(" ");
    table.push_type(&dialect.column_type(&LogicalType::Id, Placement::InlineColumn)).push(" NOT NULL, ").name("position").push(" ");
    table.push_type(&dialect.column_type(&LogicalType::INT, Placement::InlineColumn)).push(" NOT NULL, ").name("item").push(" ");
    table.push_type(&dialect.column_type(&item, Placement::InlineColumn)).push(" NOT NULL, PRIMARY KEY (");
    table.name("owner").push(", ").name("position").push("))").push(dialect.table_options());
    let mut index = Sql::new(dialect);
    index.push("CREATE INDEX IF NOT EXISTS ").name(&child_name(dialect, part, Some(column), "items_index"));
    index.push(" ON ").name(&child).push(" (").name("item").push(", ").name("owner").push(")");
    vec![table.finish(), index.finish()]
}

/// Refuses what the columns of a part ask for and an engine without methods of indexes has not; `searched` is the most numbers of
/// a vector that it searches.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] that names the field.
#[cfg(any(feature = "mssql", feature = "oracle", feature = "trino", feature = "starrocks"))]
pub(crate) fn check(part: &Part, searched: Option<u32>) -> Result<()> {
    for column in &part.columns {
        let refuse = |why: String| Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name));
        if let Some(index) = column.index
            && (!index.method.is_empty() || !index.parameters.is_empty())
        {
            return refuse(format!("no index method `{}` on a {} field here: say `index` alone", index.method, column.logical.class()));
        }
        match (column.logical, searched) {
            (LogicalType::Vector(length), Some(most)) if column.placement == Placement::VectorIndex && length > most => {
                return refuse(format!("the server searches vectors of at most {most} numbers: store the field as InlineColumn"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Drops a table if it is there.
pub fn drop_table(dialect: &dyn Dialect, table: &str) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("DROP TABLE IF EXISTS ").name(table);
    sql.finish()
}

/// Refuses what an entity asks of an engine that decides no uniqueness and has one kind of index.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] naming the field.
#[cfg(any(feature = "trino", feature = "starrocks"))]
pub(crate) fn refuse_keys(part: &Part, engine: &str) -> Result<()> {
    let refuse = |why: String| Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name);
    if let Some(group) = part.unique_groups().first() {
        let names: Vec<&str> = group.iter().filter_map(|&i| part.columns.get(i)).map(|column| column.name).collect();
        let why = format!("{engine} decides no uniqueness: leave `unique` out, or give the entity an owner that decides it");
        return Err(refuse(why).at_field(names.join(", ")));
    }
    check(part, None)
}
