use std::borrow::Cow;

use super::{codec, functions};
use crate::backends::embedded::json_path::path_text;
use crate::backends::sql::ddl::child_name;
use crate::backends::sql::pattern::after_prefix;
use crate::backends::sql::{Dialect, HasTest, Sql, Term, TextTest};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Condition, Segment};
use crate::schema::{Column, KeyKind, Part};
use crate::types::{Id, Json, LogicalType, Value, lower_simple};

/// SQLite's SQL.
#[derive(Clone, Copy, Debug, Default)]
pub struct SqliteDialect {
    /// Whether rows by id come as they are found: that leaves SQLite free to use the filter's index.
    unsorted: bool,
}

/// The dialect as it mostly is.
pub(super) const SQL: SqliteDialect = SqliteDialect { unsorted: false };
/// For queries whose filter has an index that leaves few rows: those are sorted here.
pub(super) const UNSORTED: SqliteDialect = SqliteDialect { unsorted: true };

/// Members of a list bound one by one; beyond, as one JSON array, so that the statement's text stays short.
const BOUND_MEMBERS: usize = 16;

impl Dialect for SqliteDialect {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }

    fn placeholder(&self, _: usize, _: &Value, text: &mut String) {
        text.push('?');
    }

    fn max_parameters(&self) -> usize {
        32_766
    }

    fn version_type(&self) -> &'static str {
        "INTEGER"
    }

    fn table_options(&self) -> &'static str {
        " STRICT, WITHOUT ROWID"
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        Cow::Borrowed(match logical {
            LogicalType::Bool | LogicalType::Int { .. } | LogicalType::Timestamp | LogicalType::Date | LogicalType::Duration => "INTEGER",
            // A column of type REAL stores whole numbers as integers, and -0.0 as 0.
            LogicalType::Float => "ANY",
            LogicalType::Bytes | LogicalType::Uuid | LogicalType::Vector(_) => "BLOB",
            _ => "TEXT",
        })
    }

    fn stored(&self, _: &LogicalType, value: Value) -> Value {
        // `codec` gives each value its form when it is bound.
        value
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        let as_json = members.len() > BOUND_MEMBERS && members.iter().all(|m| matches!(m, Value::Text(_) | Value::Int(_)));
        if !as_json {
            self.check_parameters(sql, members.len())?;
        }
        term.write(sql)?;
        sql.push(" IN (");
        if as_json {
            sql.push("SELECT value FROM json_each(").bind(Value::Text(codec::list_json(members).to_string())).push(")");
        } else {
            sql.list(members, ", ", |sql, member| {
                sql.bind(member.clone());
                Ok(())
            })?;
        }
        sql.push(")");
        Ok(())
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let keys = part.key().values(ids);
        match &keys[..] {
            [] => {
                sql.push("1 = 0");
            }
            [only] => {
                Term::key(part).write(sql)?;
                sql.push(" = ").bind(only.clone());
            }
            // Bytes are none of JSON's.
            [Value::Uuid(_), ..] => return self.is_member(sql, &Term::key(part), &keys),
            _ => {
                Term::key(part).write(sql)?;
                sql.push(" IN (SELECT value FROM json_each(").bind(Value::Text(codec::list_json(&keys).to_string())).push("))");
            }
        }
        Ok(())
    }

    fn existing_text(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        term.write_column(sql);
        sql.push(" COLLATE BINARY");
    }

    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        let uuid = part.key().kind == KeyKind::Uuid;
        sql.push(if uuid { "hb_uuid(" } else { "CAST(" });
        Term::key(part).write_column(sql);
        sql.push(if uuid { ")" } else { " AS TEXT)" });
    }

    fn sorts_uuids_by_bytes(&self) -> bool {
        true
    }

    fn beside_ids(&self) -> &'static str {
        "+"
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        let (function, operand) = match test {
            TextTest::StartsWith(prefix) => {
                sql.push("(");
                term.write(sql)?;
                sql.push(" >= ").bind(Value::Text(prefix.to_owned()));
                if let Some(end) = after_prefix(prefix) {
                    sql.push(" AND ");
                    term.write(sql)?;
                    sql.push(" < ").bind(Value::Text(end));
                }
                sql.push(")");
                return Ok(());
            }
            TextTest::Contains(needle) => {
                sql.push("instr(");
                term.write(sql)?;
                sql.push(", ").bind(Value::Text(needle.to_owned())).push(") > 0");
                return Ok(());
            }
            TextTest::EndsWith(suffix) => ("hb_ends_with(", suffix.to_owned()),
            TextTest::IContains(needle) => ("hb_icontains(", lower_simple(needle)),
            TextTest::Like(pattern) => ("hb_like(", pattern.to_owned()),
            TextTest::ILike(pattern) => ("hb_ilike(", pattern.to_owned()),
            TextTest::Regex(pattern) => ("hb_regex(", pattern.to_owned()),
        };
        sql.push(function);
        term.write(sql)?;
        sql.push(", ").bind(Value::Text(operand)).push(")");
        Ok(())
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, words: &[String], phrase: bool) -> Result<()> {
        let index = child_name(self, term.part, term.column, "words");
        let rows = child_name(self, term.part, term.column, "word_rows");
        Term::id(term.part).write_column(sql);
        sql.push(" IN (SELECT r.").name("owner").push(" FROM ").name(&index).push(" w JOIN ").name(&rows).push(" r ON r.");
        sql.name("row").push(" = w.rowid WHERE w.").name("words").push(" MATCH ");
        sql.bind(Value::Text(super::words::query(words, phrase))).push(")");
        Ok(())
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        let side = term.column.filter(|column| column.placement == Placement::SideTable);
        let Some(column) = side else {
            sql.push(if test == HasTest::Any { "hb_has_any(" } else { "hb_has_all(" });
            term.write_column(sql);
            sql.push(", ").bind(Value::Text(codec::list_json(items).to_string())).push(")");
            return Ok(());
        };
        let child = child_name(self, term.part, Some(column), "items");
        let groups: Vec<&[Value]> = if test == HasTest::Any { vec![items] } else { items.chunks(1).collect() };
        self.check_parameters(sql, items.len())?;
        sql.push("(");
        sql.list(groups, " AND ", |sql, group| {
            Term::id(term.part).write_column(sql);
            sql.push(" IN (SELECT ").name("owner").push(" FROM ").name(&child).push(" WHERE ").name("item").push(" IN (");
            sql.list(group, ", ", |sql, item| {
                sql.bind(item.clone());
                Ok(())
            })?;
            sql.push("))");
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        // Lists are written in one form only, so that equal ones are equal texts; but -0.0 equals 0.0, and others write
        // lists as they like.
        let floats = matches!(term.logical(), LogicalType::List(LogicalType::Float)) || term.part.is_mapped();
        sql.push(if floats { "hb_json_equal(" } else { "(" });
        term.write_column(sql);
        sql.push(if floats { ", " } else { " = " }).bind(items.clone()).push(")");
        Ok(())
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        sql.push("json_array_length(");
        term.write_column(sql);
        sql.push(")");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        sql.push("hb_json_equal(");
        term.write_column(sql);
        sql.push(", ").bind(Value::Json(Box::new(json.clone()))).push(")");
        Ok(())
    }

    fn path_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
        let test = path_text(path, condition).map_err(|e| {
            Error::new(
                ErrorKind::InvalidQuery,
                "a JSON path is compared with something that JSON has not, such as a float that is not finite",
            )
            .caused_by(e)
        })?;
        sql.push("hb_path(");
        term.write_column(sql);
        sql.push(", ").bind(Value::Text(test)).push(")");
        Ok(())
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        sql.push(functions::score_name(near.metric)).push("(");
        term.write_column(sql);
        sql.push(", ").bind(Value::Vector(near.vector.clone())).push(")");
        Ok(())
    }

    fn lies_apart(&self, part: &Part, column: &Column) -> bool {
        matches!(column.logical, LogicalType::Vector(_)) && !part.is_mapped()
    }

    fn write_apart(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        sql.push("(SELECT x.").name("vector").push(" FROM ").name(&child_name(self, term.part, term.column, "vectors"));
        sql.push(" x WHERE x.").name("owner").push(" = t.").name(term.part.id_column()).push(")");
    }

    fn near_score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery, alone: bool) -> Result<()> {
        match term.column {
            Some(column) if self.lies_apart(term.part, column) && alone => {
                sql.push("x.").name("score");
                Ok(())
            }
            Some(column) if self.lies_apart(term.part, column) => {
                apart_score(sql, near);
                Ok(())
            }
            _ => self.score(sql, term, near),
        }
    }

    fn near_source(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery, alone: bool) -> Result<()> {
        let apart = term.column.is_some_and(|column| self.lies_apart(term.part, column));
        let vectors = child_name(self, term.part, term.column, "vectors");
        if apart && alone {
            // The best are found among the vectors alone; only their rows are read. CROSS JOIN keeps SQLite's order.
            sql.push("(SELECT x.").name("owner").push(", ");
            apart_score(sql, near);
            sql.push(" AS ").name("score").push(" FROM ").name(&vectors).push(" x ORDER BY ").name("score").push(" DESC, x.").name("owner");
            self.limit(sql, Some(near.k), 0);
            sql.push(") x CROSS JOIN ");
        }
        sql.table(term.part).push(" t");
        if apart && !alone {
            sql.push(" CROSS JOIN ").name(&vectors).push(" x");
        }
        if apart {
            sql.push(" ON x.").name("owner").push(" = t.").name(term.part.id_column());
        }
        Ok(())
    }

    fn leaves_ids_unsorted(&self) -> bool {
        self.unsorted
    }

    fn leaves_out_versions(&self) -> bool {
        true
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        term.write_order(sql)?;
        // Null is SQLite's least value: last where the greatest come first.
        sql.push(match (descending, term.nullable()) {
            (true, _) => " DESC",
            (false, true) => " ASC NULLS LAST",
            (false, false) => " ASC",
        });
        Ok(())
    }

    fn measure(&self, sql: &mut Sql<'_>, function: AggregateFunction, term: Option<&Term<'_>>) -> Result<()> {
        let Some(term) = term else {
            sql.push("count(*)");
            return Ok(());
        };
        let whole = matches!(term.logical(), LogicalType::Int { .. });
        sql.push(match function {
            AggregateFunction::Count => "count(",
            AggregateFunction::CountDistinct => "count(DISTINCT ",
            AggregateFunction::Sum if whole => "hb_sum(",
            AggregateFunction::Sum => "sum(",
            AggregateFunction::Avg => "avg(",
            AggregateFunction::Min => "min(",
            AggregateFunction::Max => "max(",
        });
        term.write(sql)?;
        sql.push(")");
        Ok(())
    }
}

/// The score of a vector that lies apart, as `x`.
fn apart_score(sql: &mut Sql<'_>, near: &NearQuery) {
    sql.push(functions::score_name(near.metric)).push("(x.").name("vector").push(", ");
    sql.bind(Value::Vector(near.vector.clone())).push(")");
}
