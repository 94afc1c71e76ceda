use std::borrow::Cow;
use std::fmt::Write;

use super::codec::oid;
use super::{json, nul, pattern, vectors, words};
use crate::backends::sql::{Comparison, Dialect, HasTest, Sql, Statement, Term, TextTest, ddl, unsupported};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::Result;
use crate::filter::{Condition, Segment, Target, Test, compile_regex};
use crate::schema::{Column, Part};
use crate::types::{Id, Json, LogicalType, Value};

/// What Postgres says differently; `vectors` with pgvector.
#[derive(Clone, Copy, Debug)]
pub(super) struct PostgresDialect {
    pub(super) vectors: bool,
}

/// Longest text, in characters, whose bytes always fit a key of a B-tree (2.7 kB).
const INDEXABLE: u32 = 600;

/// Whether a column's values may be longer than a key of an index may be.
pub(super) fn is_long(column: &Column) -> bool {
    let long = |logical: &LogicalType| matches!(logical, LogicalType::Text { max } if *max > INDEXABLE);
    match &column.logical {
        LogicalType::Bytes | LogicalType::Json | LogicalType::Vector(_) => true,
        LogicalType::List(item) => long(item),
        other => long(other),
    }
}

/// How a column's values travel, one array for all rows: the array's type, and what the statement casts each item to.
pub(super) fn bulk_type(column: &Column, mapped: bool, vectors: bool) -> (u32, &'static str, Option<String>) {
    match column.logical {
        LogicalType::Bool => (oid::BOOL_ARRAY, "boolean[]", None),
        LogicalType::Int { .. } | LogicalType::Duration => (oid::INT8_ARRAY, "bigint[]", None),
        LogicalType::Timestamp if mapped => (oid::TIMESTAMPTZ_ARRAY, "timestamptz[]", None),
        LogicalType::Date if mapped => (oid::DATE_ARRAY, "date[]", None),
        LogicalType::Timestamp | LogicalType::Date => (oid::INT8_ARRAY, "bigint[]", None),
        LogicalType::Float => (oid::FLOAT8_ARRAY, "float8[]", None),
        LogicalType::Bytes => (oid::BYTEA_ARRAY, "bytea[]", None),
        LogicalType::Uuid => (oid::UUID_ARRAY, "uuid[]", None),
        LogicalType::Json => (oid::JSONB_ARRAY, "jsonb[]", None),
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => (oid::TEXT_ARRAY, "text[]", None),
        LogicalType::Decimal { .. } => (oid::TEXT_ARRAY, "text[]", Some("numeric".into())),
        LogicalType::List(_) | LogicalType::Vector(_) => {
            (oid::TEXT_ARRAY, "text[]", Some(plain_type(&column.logical, column.placement, vectors).into_owned()))
        }
    }
}

/// The type without collation.
fn plain_type(logical: &LogicalType, placement: Placement, vectors: bool) -> Cow<'static, str> {
    Cow::Borrowed(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => "text",
        LogicalType::Bool => "boolean",
        // Moments and days as numbers: the type `timestamptz` begins in 4713 BC, later than ours.
        LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp => "bigint",
        LogicalType::Date => "integer",
        LogicalType::Float => "double precision",
        LogicalType::Decimal { .. } => "numeric",
        LogicalType::Bytes => "bytea",
        LogicalType::Uuid => "uuid",
        LogicalType::Json => "jsonb",
        LogicalType::List(item) => return format!("{}[]", plain_type(item, placement, vectors)).into(),
        LogicalType::Vector(length) if vectors && placement == Placement::VectorIndex => return format!("vector({length})").into(),
        LogicalType::Vector(_) => "real[]",
    })
}

/// Writes a text test; `subject` writes the text.
pub(super) fn text_test<'d>(
    sql: &mut Sql<'d>,
    subject: &dyn Fn(&mut Sql<'d>) -> Result<()>,
    test: TextTest<'_>,
    term: &Term<'_>,
) -> Result<()> {
    let (operator, pattern) = match test {
        TextTest::Contains(needle) => (" LIKE ", format!("%{}%", pattern::like_literal(needle))),
        TextTest::StartsWith(prefix) => (" LIKE ", format!("{}%", pattern::like_literal(prefix))),
        TextTest::EndsWith(suffix) => (" LIKE ", format!("%{}", pattern::like_literal(suffix))),
        TextTest::Like(text) => (" LIKE ", pattern::like(text)),
        TextTest::IContains(needle) => (" ~ ", pattern::icontains(needle)),
        TextTest::ILike(text) => (" ~ ", pattern::ilike(text)),
        TextTest::Regex(text) => {
            let translated = pattern::regex(text);
            (" ~ ", translated.ok_or_else(|| unsupported(sql.dialect().kind(), "this regular expression", term))?)
        }
    };
    if nul::holds(&pattern) {
        // No stored text holds it, so no text matches.
        sql.push("1 = 0");
        return Ok(());
    }
    sql.push("(");
    subject(sql)?;
    sql.push(operator).bind(Value::Text(pattern)).push(")");
    Ok(())
}

/// Whether a term is text, which compares by the collation.
fn is_text(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_))
}

impl PostgresDialect {
    /// A value as it is compared with a term.
    fn operand(&self, term: &Term<'_>, value: &Value) -> Value {
        if term.part.is_mapped() { value.clone() } else { self.stored(&term.logical(), value.clone()) }
    }
}

impl Dialect for PostgresDialect {
    fn kind(&self) -> &'static str {
        if self.vectors { "pgvector" } else { "postgres" }
    }

    fn placeholder(&self, number: usize, value: &Value, text: &mut String) {
        let _ = write!(text, "${number}");
        text.push_str(match value {
            Value::Decimal(_) => "::numeric",
            Value::List(items) if matches!(items.first(), Some(Value::Decimal(_))) => "::numeric[]",
            _ => "",
        });
    }

    fn max_parameters(&self) -> usize {
        65_535
    }

    fn column_type(&self, logical: &LogicalType, placement: Placement) -> Cow<'static, str> {
        let plain = plain_type(logical, placement, self.vectors);
        let collates = match logical {
            LogicalType::List(item) => is_text(item),
            other => is_text(other),
        };
        if collates { format!("{plain} COLLATE \"C\"").into() } else { plain }
    }

    fn stored(&self, _: &LogicalType, value: Value) -> Value {
        match value {
            Value::Timestamp(t) => Value::Int(t.as_micros()),
            Value::Date(d) => Value::Int(i64::from(d.as_days())),
            Value::Duration(d) => Value::Int(d.as_micros()),
            Value::List(items) => Value::List(items.into_iter().map(|item| self.stored(&LogicalType::Bool, item)).collect()),
            other => other,
        }
    }

    fn takes(&self, part: &Part, test: &Test) -> bool {
        native_only(part, test)
            && match (&test.target, &test.condition) {
                // One that does not compile is taken, and refused when it is written.
                (_, Condition::Regex(pattern)) => pattern::regex(pattern).is_some() || compile_regex(pattern).is_err(),
                (Target::Path(_), Condition::Matches(_) | Condition::Phrase(_)) => false,
                _ => true,
            }
    }

    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        let mut how = how;
        let mut value = self.operand(term, value);
        if let Value::Text(text) = &value
            && nul::holds(text)
        {
            match how {
                Comparison::Eq => {
                    sql.push("1 = 0");
                    return Ok(());
                }
                Comparison::Ne => {
                    term.write(sql)?;
                    sql.push(" IS NOT NULL");
                    return Ok(());
                }
                _ => {
                    let (other, before) = nul::compared(how, text);
                    how = other;
                    value = Value::Text(before.to_owned());
                }
            }
        }
        // Equal texts are equal bytes under every collation that `register` lets pass: the column's own index serves.
        if matches!(how, Comparison::Eq | Comparison::Ne) && !term.length && !term.is_derived_id() {
            term.write_column(sql);
        } else {
            term.write(sql)?;
        }
        sql.push(how.text()).bind(value);
        Ok(())
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        let members: Vec<Value> = members.iter().filter(|m| !nul::in_value(m)).map(|m| self.operand(term, m)).collect();
        if members.is_empty() {
            sql.push("1 = 0");
            return Ok(());
        }
        if term.length || term.is_derived_id() {
            term.write(sql)?;
        } else {
            term.write_column(sql);
        }
        sql.push(" = ANY(").bind(Value::List(members.into())).push(")");
        Ok(())
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let keys: Vec<Value> = part.key().values(ids).into_iter().filter(|key| !nul::in_value(key)).collect();
        if keys.is_empty() {
            sql.push("1 = 0");
            return Ok(());
        }
        Term::key(part).write_column(sql);
        sql.push(" = ANY(").bind(Value::List(keys.into())).push(")");
        Ok(())
    }

    fn existing_text(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        term.write_column(sql);
        if term.key {
            return;
        }
        sql.push("::text COLLATE \"C\"");
    }

    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        Term::key(part).write_column(sql);
        sql.push("::text COLLATE \"C\"");
    }

    fn sorts_uuids_by_bytes(&self) -> bool {
        true
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        text_test(sql, &|sql| term.write(sql), test, term)
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, wanted: &[String], phrase: bool) -> Result<()> {
        let Some(column) = term.column.filter(|column| column.placement == Placement::InvertedIndex) else {
            return Err(unsupported(self.kind(), "a word search without the placement InvertedIndex", term));
        };
        let name = words::name(column);
        let keys: Vec<String> = wanted.iter().map(|word| words::key(word)).collect();
        sql.push("(t.").name(&name).push(" @> ").bind(Value::List(keys.iter().cloned().map(Value::Text).collect()));
        if phrase && keys.len() > 1 {
            sql.push(" AND E'\\x01' || array_to_string(t.").name(&name).push(", E'\\x01') || E'\\x01' LIKE ");
            sql.bind(Value::Text(format!("%\u{1}{}\u{1}%", pattern::like_literal(&keys.join("\u{1}")))));
        }
        sql.push(")");
        Ok(())
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        let possible: Vec<Value> = items.iter().filter(|item| !nul::in_value(item)).map(|item| self.operand(term, item)).collect();
        if possible.is_empty() || test == HasTest::All && possible.len() < items.len() {
            sql.push("1 = 0");
            return Ok(());
        }
        term.write_column(sql);
        sql.push(if test == HasTest::Any { " && " } else { " @> " }).bind(Value::List(possible.into()));
        self.cast_items(sql, term);
        Ok(())
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        if nul::in_value(items) {
            sql.push("1 = 0");
            return Ok(());
        }
        if items.as_list().is_some_and(<[Value]>::is_empty) {
            sql.push("cardinality(");
            term.write_column(sql);
            sql.push(") = 0");
            return Ok(());
        }
        term.write_column(sql);
        sql.push(" = ").bind(self.operand(term, items));
        self.cast_items(sql, term);
        Ok(())
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        sql.push("cardinality(");
        term.write_column(sql);
        sql.push(")::bigint");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        if json::holds_nul(json) {
            sql.push("1 = 0");
            return Ok(());
        }
        term.write_column(sql);
        sql.push(if term.part.is_mapped() { "::jsonb = " } else { " = " }).bind(Value::Json(Box::new(json.clone())));
        Ok(())
    }

    fn path_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
        json::path_test(sql, term, path, condition)
    }

    fn ranks(&self, column: &Column) -> bool {
        self.vectors && column.placement == Placement::VectorIndex
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        if !self.vectors {
            return Err(unsupported(self.kind(), "vector search", term));
        }
        vectors::score(sql, term, near)
    }

    fn near_order(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        vectors::order(sql, term, near)
    }

    fn near_limit(&self, sql: &mut Sql<'_>, k: usize, offset: usize) {
        // Where it is bound, the server thinks of a tenth of the table, finds every general plan dear, and plans anew at each run.
        if offset == 0 {
            sql.push(" LIMIT ").number(k);
        } else {
            self.limit(sql, Some(k), offset);
        }
    }

    fn near_ends(&self, term: &Term<'_>, near: &NearQuery) -> Option<&'static str> {
        // To sort ties by id, the index would be walked until one row more matches: with 1% matching a tenth of the whole walk.
        vectors::serving(term, near).map(|_| "")
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        term.write_order(sql)?;
        // Ascending is nulls last by itself.
        sql.push(match (descending, term.nullable()) {
            (false, _) => " ASC",
            (true, false) => " DESC",
            (true, true) => " DESC NULLS LAST",
        });
        Ok(())
    }

    fn measure(&self, sql: &mut Sql<'_>, function: AggregateFunction, term: Option<&Term<'_>>) -> Result<()> {
        let Some(term) = term else {
            sql.push("COUNT(*)");
            return Ok(());
        };
        let by = |sql: &mut Sql<'_>, open: &'static str, close: &'static str| {
            sql.push(open);
            term.write(sql)?;
            sql.push(close);
            Ok(())
        };
        let uuid = matches!(term.logical(), LogicalType::Uuid);
        match function {
            AggregateFunction::Count => by(sql, "COUNT(", ")"),
            AggregateFunction::CountDistinct => by(sql, "COUNT(DISTINCT ", ")"),
            // Whole numbers and decimals add up to a decimal of any length, read back as text and checked.
            AggregateFunction::Sum if matches!(term.logical(), LogicalType::Float) => by(sql, "SUM(", ")"),
            AggregateFunction::Sum => by(sql, "SUM(", ")::text"),
            AggregateFunction::Avg => {
                by(sql, "(SUM(", ")::float8 / NULLIF(")?;
                by(sql, "COUNT(", "), 0))")
            }
            // Before version 18 there is no min and max of UUIDs; their text orders as they do.
            AggregateFunction::Min if uuid => by(sql, "MIN(", "::text COLLATE \"C\")::uuid"),
            AggregateFunction::Max if uuid => by(sql, "MAX(", "::text COLLATE \"C\")::uuid"),
            AggregateFunction::Min => by(sql, "MIN(", ")"),
            AggregateFunction::Max => by(sql, "MAX(", ")"),
        }
    }

    fn index(&self, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
        let lists =
            columns.iter().any(|column| matches!(column.logical, LogicalType::List(_) | LogicalType::Json | LogicalType::Vector(_)));
        // Short columns are unique by a constraint: see `unique_constraint`.
        if lists && (unique || columns.len() > 1) || unique && !columns.iter().any(|column| is_long(column)) {
            return None;
        }
        let mut sql = Sql::new(self);
        sql.push(if unique { "CREATE UNIQUE INDEX IF NOT EXISTS " } else { "CREATE INDEX IF NOT EXISTS " });
        sql.name(&ddl::index_name(self, part, columns, unique)).push(" ON ").table(part);
        match columns {
            [column] if lists => {
                if is_long(column) {
                    return None;
                }
                sql.push(" USING gin (").name(&column.physical).push(")");
            }
            [column] if !unique && is_long(column) => {
                sql.push(" USING hash (").name(&column.physical).push(")");
            }
            _ => {
                sql.push(" (");
                for (i, column) in columns.iter().enumerate() {
                    if i > 0 {
                        sql.push(", ");
                    }
                    if is_long(column) && !unique {
                        return None;
                    }
                    if !is_long(column) {
                        sql.name(&column.physical);
                        continue;
                    }
                    // Two digests instead of a key that is too long: of the text, and of the text backwards.
                    let text = if matches!(column.logical, LogicalType::Bytes) { "encode(" } else { "(" };
                    let close = if text == "(" { ")" } else { ", 'hex')" };
                    sql.push("md5(").push(text).name(&column.physical).push(close).push("), md5(reverse(");
                    sql.push(text).name(&column.physical).push(close).push("))");
                }
                sql.push(")");
            }
        }
        Some(sql.finish())
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }
}

impl PostgresDialect {
    /// What makes columns unique, checked at the end of each statement: rows of one batch may swap their values. `None`
    /// where a value may be too long for a key, which an index of digests then serves.
    pub(super) fn unique_constraint(&self, part: &Part, columns: &[&Column]) -> Option<(String, Statement)> {
        if columns.iter().any(|column| is_long(column)) {
            return None;
        }
        let name = ddl::index_name(self, part, columns, true);
        let mut sql = Sql::new(self);
        sql.push("ALTER TABLE ").table(part).push(" ADD CONSTRAINT ").name(&name).push(" UNIQUE (");
        for (i, column) in columns.iter().enumerate() {
            sql.push(if i > 0 { ", " } else { "" }).name(&column.physical);
        }
        sql.push(") DEFERRABLE INITIALLY IMMEDIATE");
        Some((name, sql.finish()))
    }

    /// What was bound is an array of the widest type; a column of 32-bit numbers needs its own.
    fn cast_items(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        let LogicalType::List(item) = term.logical() else { return };
        if matches!(item, LogicalType::Date) && !term.part.is_mapped() {
            sql.push("::integer[]");
        }
    }
}
