use std::borrow::Cow;

use super::{bind, words};
use crate::backends::embedded::json_path::path_text;
use crate::backends::sql::decimal::{Bound, bound, possible};
use crate::backends::sql::{Comparison, Dialect, HasTest, Sql, Statement, Term, TextTest, ddl, unsupported};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Condition, Pattern, Segment};
use crate::schema::{Column, Part};
use crate::types::{Id, Json, LogicalType, Metric, Value, lower_simple};

/// DuckDB's SQL.
#[derive(Clone, Copy, Debug, Default)]
pub struct DuckDbDialect;

/// The dialect.
pub(super) const SQL: DuckDbDialect = DuckDbDialect;

/// Members of a list bound one by one; beyond, as one JSON array: each member bound costs DuckDB's planner a tenth of a
/// millisecond.
const BOUND_MEMBERS: usize = 16;

/// Stands between ids that are bound as one text; no id holds a control character.
const BETWEEN_IDS: char = '\u{1f}';

/// Longest text, in characters, whose bytes always fit a key of an index (8,192 bytes).
const INDEXABLE: u32 = 2_000;

/// DuckDB's type of a column.
pub(super) fn type_of(logical: &LogicalType) -> Cow<'static, str> {
    Cow::Borrowed(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => "VARCHAR",
        LogicalType::Bool => "BOOLEAN",
        // Spans as numbers: DuckDB's INTERVAL counts months and days apart, and compares them as 30 days and 24 hours.
        LogicalType::Int { .. } | LogicalType::Duration => "BIGINT",
        LogicalType::Float => "DOUBLE",
        LogicalType::Decimal { precision, scale } => return format!("DECIMAL({precision},{scale})").into(),
        LogicalType::Bytes => "BLOB",
        LogicalType::Timestamp => "TIMESTAMP",
        LogicalType::Date => "DATE",
        LogicalType::Uuid => "UUID",
        LogicalType::Json => "JSON",
        LogicalType::List(item) => return format!("{}[]", type_of(item)).into(),
        LogicalType::Vector(length) => return format!("FLOAT[{length}]").into(),
    })
}

/// Whether a column's values may be longer than a key of an index may be.
fn is_long(column: &Column) -> bool {
    match column.logical {
        LogicalType::Text { max } => max > INDEXABLE,
        LogicalType::Bytes | LogicalType::Json => true,
        _ => false,
    }
}

/// A `like` pattern with `\` before what it escapes and nothing else.
fn like(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 2);
    for piece in Pattern::parse(pattern) {
        match piece {
            Pattern::One => text.push('_'),
            Pattern::Run => text.push('%'),
            Pattern::Literal(c) => {
                if matches!(c, '%' | '_' | '\\') {
                    text.push('\\');
                }
                text.push(c);
            }
        }
    }
    text
}

fn never(sql: &mut Sql<'_>) -> Result<()> {
    sql.push("1 = 0");
    Ok(())
}

/// Writes items as a list: as many placeholders where they are few.
fn list_of(sql: &mut Sql<'_>, item: &LogicalType, items: &[Value]) -> Result<()> {
    if items.len() > BOUND_MEMBERS {
        let (before, after) = bind::written_items(item);
        sql.push(before).bind(Value::List(items.into())).push_type(&after);
        return Ok(());
    }
    sql.push("list_value(");
    sql.list(items, ", ", |sql, item| {
        sql.bind(item.clone());
        Ok(())
    })?;
    sql.push(")");
    Ok(())
}

impl Dialect for DuckDbDialect {
    fn kind(&self) -> &'static str {
        "duckdb"
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }

    fn placeholder(&self, _: usize, value: &Value, text: &mut String) {
        text.push_str(match value {
            Value::Uuid(_) => "CAST(? AS UUID)",
            _ => "?",
        });
    }

    fn max_parameters(&self) -> usize {
        32_768
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        type_of(logical)
    }

    fn stored(&self, _: &LogicalType, value: Value) -> Value {
        // `bind` gives each value its form.
        value
    }

    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        let (how, value) = match bound(&term.logical(), how, value) {
            Bound::With(how, value) => (how, value),
            Bound::Never => return never(sql),
            Bound::Always => return some(sql, term),
        };
        term.write(sql)?;
        sql.push(how.text()).bind(value);
        Ok(())
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        let logical = term.logical();
        let members = possible(&logical, members);
        if members.is_empty() {
            return never(sql);
        }
        let as_list = members.len() > BOUND_MEMBERS;
        if !as_list {
            self.check_parameters(sql, members.len())?;
        }
        term.write(sql)?;
        sql.push(" IN (");
        if as_list {
            let (before, after) = bind::written_items(&logical);
            sql.push("SELECT unnest(").push(before).bind(Value::List(members.into())).push_type(&after).push(")");
        } else {
            sql.list(members, ", ", |sql, member| {
                sql.bind(member);
                Ok(())
            })?;
        }
        sql.push(")");
        Ok(())
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let key = Term::key(part);
        let keys = part.key().values(ids);
        let plain = |key: &Value| key.as_text().is_some_and(|id| !id.contains(BETWEEN_IDS));
        match keys.as_slice() {
            [] => never(sql),
            [only] => {
                key.write_column(sql);
                sql.push(" = ").bind(only.clone());
                Ok(())
            }
            keys if keys.iter().all(plain) => {
                let mut text = String::with_capacity(ids.iter().map(|id| id.len() + 1).sum());
                for id in keys.iter().filter_map(Value::as_text) {
                    if !text.is_empty() {
                        text.push(BETWEEN_IDS);
                    }
                    text.push_str(id);
                }
                key.write_column(sql);
                sql.push(" IN (SELECT unnest(string_split(").bind(Value::Text(text)).push(", chr(31))))");
                Ok(())
            }
            keys => self.is_member(sql, &key, keys),
        }
    }

    fn sorts_uuids_by_bytes(&self) -> bool {
        true
    }

    fn existing_text(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        // An enumeration or a column with a collation of its own compares otherwise.
        sql.push("CAST(");
        term.write_column(sql);
        sql.push(" AS VARCHAR) COLLATE \"binary\"");
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        let (function, operand) = match test {
            TextTest::Contains(needle) => ("contains(", needle.to_owned()),
            TextTest::StartsWith(prefix) => ("starts_with(", prefix.to_owned()),
            TextTest::EndsWith(suffix) => ("suffix(", suffix.to_owned()),
            TextTest::IContains(needle) => ("hb_icontains(", lower_simple(needle)),
            TextTest::ILike(pattern) => ("hb_ilike(", pattern.to_owned()),
            TextTest::Regex(pattern) => ("hb_regex(", pattern.to_owned()),
            TextTest::Like(pattern) => {
                sql.push("(");
                term.write(sql)?;
                sql.push(" LIKE ").bind(Value::Text(like(pattern))).push(" ESCAPE '\\')");
                return Ok(());
            }
        };
        sql.push(function);
        term.write(sql)?;
        sql.push(", ").bind(Value::Text(operand)).push(")");
        Ok(())
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, wanted: &[String], phrase: bool) -> Result<()> {
        let Some(column) = term.column.filter(|column| column.placement == Placement::InvertedIndex) else {
            return Err(unsupported(self.kind(), "a word search without the placement InvertedIndex", term));
        };
        let name = words::name(column);
        let texts = if phrase {
            vec![words::joined(wanted.iter())]
        } else {
            wanted.iter().map(|word| words::joined(std::iter::once(word))).collect()
        };
        sql.push("(");
        sql.list(texts, " AND ", |sql, text| {
            sql.push("contains(t.").name(&name).push(", ").bind(Value::Text(text)).push(")");
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        let LogicalType::List(item) = term.logical() else { return never(sql) };
        let possible = possible(item, items);
        if possible.is_empty() || test == HasTest::All && possible.len() < items.len() {
            return never(sql);
        }
        if let [only] = possible.as_slice() {
            sql.push("list_contains(");
            term.write_column(sql);
            sql.push(", ").bind(only.clone()).push(")");
            return Ok(());
        }
        sql.push(if test == HasTest::Any { "list_has_any(" } else { "list_has_all(" });
        term.write_column(sql);
        sql.push(", ");
        list_of(sql, item, &possible)?;
        sql.push(")");
        Ok(())
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        let (LogicalType::List(item), Some(items)) = (term.logical(), items.as_list()) else { return never(sql) };
        let possible = possible(item, items);
        if possible.len() < items.len() {
            return never(sql);
        }
        if items.is_empty() {
            sql.push("len(");
            term.write_column(sql);
            sql.push(") = 0");
            return Ok(());
        }
        term.write_column(sql);
        sql.push(" = ");
        list_of(sql, item, &possible)
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        sql.push("len(");
        term.write_column(sql);
        sql.push(")");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        sql.push("hb_json_equal(CAST(");
        term.write_column(sql);
        sql.push(" AS VARCHAR), ").bind(Value::Json(Box::new(json.clone()))).push(")");
        Ok(())
    }

    fn path_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
        let test = path_text(path, condition).map_err(|e| {
            let why = "a JSON path is compared with something that JSON has not, such as a float that is not finite";
            Error::new(ErrorKind::InvalidQuery, why).caused_by(e)
        })?;
        sql.push("hb_path(COALESCE(CAST(");
        term.write_column(sql);
        sql.push(" AS VARCHAR), 'null'), ").bind(Value::Text(test)).push(")");
        Ok(())
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        // In doubles: DuckDB computes with the precision of its operands.
        sql.push(match near.metric {
            Metric::Cosine => "array_cosine_similarity(",
            Metric::L2 => "-array_distance(",
            Metric::Dot => "array_inner_product(",
        });
        let length = near.vector.len();
        sql.push("CAST(");
        term.write_column(sql);
        sql.push(" AS DOUBLE[").number(length).push("]), CAST(CAST(").bind(Value::Vector(near.vector.clone()));
        sql.push(" AS FLOAT[").number(length).push("]) AS DOUBLE[").number(length).push("]))");
        Ok(())
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        term.write_order(sql)?;
        sql.push(if descending { " DESC NULLS LAST" } else { " ASC NULLS LAST" });
        Ok(())
    }

    fn limit(&self, sql: &mut Sql<'_>, limit: Option<usize>, offset: usize) {
        // Our own numbers, written out: only so DuckDB keeps the best rows instead of sorting all.
        if let Some(limit) = limit {
            sql.push(" LIMIT ").number(limit.min(i64::MAX as usize));
        }
        if offset > 0 {
            sql.push(" OFFSET ").number(offset.min(i64::MAX as usize));
        }
    }

    fn measure(&self, sql: &mut Sql<'_>, function: AggregateFunction, term: Option<&Term<'_>>) -> Result<()> {
        let Some(term) = term else {
            sql.push("count(*)");
            return Ok(());
        };
        let mut by = |open: &'static str, close: &'static str| -> Result<()> {
            sql.push(open);
            term.write(sql)?;
            sql.push(close);
            Ok(())
        };
        match function {
            AggregateFunction::Count => by("count(", ")"),
            AggregateFunction::CountDistinct => by("count(DISTINCT ", ")"),
            AggregateFunction::Sum => by("sum(", ")"),
            AggregateFunction::Avg => {
                by("CAST(sum(", ") AS DOUBLE) / ")?;
                by("nullif(count(", "), 0)")
            }
            AggregateFunction::Min => by("min(", ")"),
            AggregateFunction::Max => by("max(", ")"),
        }
    }

    fn index(&self, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
        let plain = |column: &&Column| !matches!(column.logical, LogicalType::List(_) | LogicalType::Json | LogicalType::Vector(_));
        let long = columns.iter().any(|column| is_long(column));
        if !columns.iter().all(plain) || long && !unique {
            return None;
        }
        let mut sql = Sql::new(self);
        sql.push(if unique { "CREATE UNIQUE INDEX IF NOT EXISTS " } else { "CREATE INDEX IF NOT EXISTS " });
        sql.name(&ddl::index_name(self, part, columns, unique)).push(" ON ").table(part).push(" (");
        for (i, column) in columns.iter().enumerate() {
            sql.push(if i > 0 { ", " } else { "" });
            // What is longer than a key is unique by its digest.
            let digest = is_long(column);
            sql.push(if digest { "sha256(" } else { "" }).name(&column.physical).push(if digest { ")" } else { "" });
        }
        sql.push(")");
        Some(sql.finish())
    }
}

/// Writes that a term is not null.
fn some(sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
    term.write(sql)?;
    sql.push(" IS NOT NULL");
    Ok(())
}
