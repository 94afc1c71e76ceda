use std::borrow::Cow;

use super::{batch, literal, pattern};
use crate::backends::sql::pattern::{like, like_literal};
use crate::backends::sql::shadow::{Shadow, digest};
use crate::backends::sql::{Dialect, HasTest, Sql, Term, TextTest, unsupported};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::Result;
use crate::filter::{Condition, Pattern, Target, Test, compile_regex};
use crate::schema::{KeyKind, Part};
use crate::types::{Decimal, Id, Json, LogicalType, Metric, Value};

/// What Trino says differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrinoDialect {
    /// The kind, as in the capability table.
    pub(super) kind: &'static str,
    /// Whether texts are shown to somebody instead of run: they have `?` for values.
    pub(super) shown: bool,
}

/// From how many ids on they are one JSON text instead of a list of literals.
const MANY: usize = 100;
/// Digits of the longest decimal.
const DIGITS: u32 = 38;

impl TrinoDialect {
    /// The type of a column.
    pub(super) fn type_of(self, logical: &LogicalType) -> Cow<'static, str> {
        Cow::Borrowed(match logical {
            LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) | LogicalType::Json => "varchar",
            LogicalType::Bool => "boolean",
            LogicalType::Int { .. } | LogicalType::Duration => "bigint",
            LogicalType::Float => "double",
            LogicalType::Decimal { precision, scale } => return format!("decimal({precision}, {scale})").into(),
            LogicalType::Bytes => "varbinary",
            LogicalType::Timestamp => "timestamp(6)",
            LogicalType::Date => "date",
            LogicalType::Uuid => "uuid",
            LogicalType::List(item) => return format!("array({})", self.type_of(item)).into(),
            LogicalType::Vector(_) => "array(real)",
        })
    }
}

/// Longest pattern, in characters, that is made a regular expression; each of its characters becomes up to twenty.
const LONGEST_PATTERN: usize = 2_000;

/// Whether a `like` pattern is left to a regular expression.
fn has_one(pattern: &str) -> bool {
    Pattern::parse(pattern).iter().any(|piece| matches!(piece, Pattern::One))
}

/// Whether a pattern can be given to the server.
fn is_translated(condition: &Condition) -> bool {
    match condition {
        Condition::IContains(text) | Condition::ILike(text) => text.chars().count() <= LONGEST_PATTERN,
        // One that does not compile is taken, and refused when it is written.
        Condition::Regex(text) => pattern::regex(text).is_some() || compile_regex(text).is_err(),
        Condition::Like(text) => text.chars().count() <= LONGEST_PATTERN || !has_one(text),
        _ => true,
    }
}

/// Whether a decimal and a column of decimals have a common type.
fn comparable(logical: &LogicalType, value: &Value) -> bool {
    let (LogicalType::Decimal { precision, scale }, Value::Decimal(number)) = (logical, value) else { return true };
    let number: Decimal = number.normalize();
    let whole = number.trunc().mantissa().unsigned_abs().checked_ilog10().map_or(1, |digits| digits + 1);
    whole.max(u32::from(precision - scale)) + number.scale().max(u32::from(*scale)) <= DIGITS
}

/// Whether all operands of a condition are.
fn all_comparable(logical: &LogicalType, condition: &Condition) -> bool {
    match condition {
        Condition::Eq(v) | Condition::Ne(v) | Condition::Lt(v) | Condition::Le(v) | Condition::Gt(v) | Condition::Ge(v) => {
            comparable(logical, v)
        }
        Condition::Between(low, high) => comparable(logical, low) && comparable(logical, high),
        Condition::In(members) | Condition::NotIn(members) => members.iter().all(|v| comparable(logical, v)),
        Condition::Has(item) => comparable(logical, item),
        Condition::HasAny(items) | Condition::HasAll(items) => items.iter().all(|v| comparable(logical, v)),
        _ => true,
    }
}

impl Dialect for TrinoDialect {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn placeholder(&self, _: usize, value: &Value, text: &mut String) {
        if self.shown {
            text.push('?');
        } else {
            literal::write(value, text);
        }
    }

    fn max_parameters(&self) -> usize {
        // Values are text; the length of the statement is what is bounded.
        usize::MAX
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        self.type_of(logical)
    }

    fn stored(&self, _: &LogicalType, value: Value) -> Value {
        value
    }

    fn takes(&self, part: &Part, test: &Test) -> bool {
        let fits = || {
            part.column(&test.field).is_none_or(|(_, column)| match (&column.logical, &test.target) {
                (LogicalType::List(item), Target::Value) => match &test.condition {
                    Condition::Eq(Value::List(items)) | Condition::Ne(Value::List(items)) => items.iter().all(|v| comparable(item, v)),
                    condition => all_comparable(item, condition),
                },
                (logical, _) => all_comparable(logical, &test.condition),
            })
        };
        native_only(part, test) && is_translated(&test.condition) && fits()
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let keys = part.key().values(ids);
        if keys.len() < MANY || part.key().kind != KeyKind::Text {
            if keys.is_empty() {
                sql.push("1 = 0");
                return Ok(());
            }
            return self.is_member(sql, &Term::key(part), &keys);
        }
        Term::key(part).write_column(sql);
        sql.push(" IN (SELECT r.c0 FROM UNNEST(CAST(json_parse(").bind(Value::Text(batch::texts(ids.iter().map(Id::as_str))));
        sql.push(") AS array(varchar))) AS r (c0))");
        Ok(())
    }

    fn sorts_uuids_by_bytes(&self) -> bool {
        true
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        const ESCAPE: char = '\\';
        let literal = |text: &str| like_literal(text, ESCAPE);
        let matched = match test {
            TextTest::Contains(needle) => Ok(format!("%{}%", literal(needle))),
            TextTest::StartsWith(prefix) => Ok(format!("{}%", literal(prefix))),
            TextTest::EndsWith(suffix) => Ok(format!("%{}", literal(suffix))),
            TextTest::Like(text) if has_one(text) => Err(pattern::like(text)),
            TextTest::Like(text) => Ok(like(text, ESCAPE)),
            TextTest::IContains(needle) => Err(pattern::icontains(needle)),
            TextTest::ILike(text) => Err(pattern::ilike(text)),
            TextTest::Regex(text) => Err(pattern::regex(text).ok_or_else(|| unsupported(self.kind, "this regular expression", term))?),
        };
        match matched {
            Ok(pattern) => {
                sql.push("(");
                term.write(sql)?;
                sql.push(" LIKE ").bind(Value::Text(pattern)).push(" ESCAPE '\\')");
            }
            Err(pattern) => {
                sql.push("regexp_like(");
                term.write(sql)?;
                sql.push(", ").bind(Value::Text(pattern)).push(")");
            }
        }
        Ok(())
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, words: &[String], phrase: bool) -> Result<()> {
        let Some((column, Shadow::Words)) = term.column.and_then(|column| Some((column, Shadow::of(term.part, column)?))) else {
            return Err(unsupported(self.kind, "a word search without the placement InvertedIndex", term));
        };
        let name = Shadow::Words.name(column);
        if phrase {
            let words = Value::List(words.iter().cloned().map(Value::Text).collect());
            sql.push("contains_sequence(t.").name(&name).push(", ").bind(words).push(")");
            return Ok(());
        }
        sql.push("(");
        sql.list(words, " AND ", |sql, word| {
            sql.push("contains(t.").name(&name).push(", ").bind(Value::Text(word.clone())).push(")");
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        sql.push("(");
        sql.list(items, if test == HasTest::Any { " OR " } else { " AND " }, |sql, item| {
            sql.push("contains(");
            term.write_column(sql);
            sql.push(", ").bind(item.clone()).push(")");
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        term.write_column(sql);
        sql.push(" = ").bind(items.clone());
        Ok(())
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        sql.push("cardinality(");
        term.write_column(sql);
        sql.push(")");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        let Some((column, Shadow::JsonKey)) = term.column.and_then(|column| Some((column, Shadow::of(term.part, column)?))) else {
            return Err(unsupported(self.kind, "JSON equality", term));
        };
        let key = digest(&Value::Json(Box::new(json.clone())));
        sql.push("t.").name(&Shadow::JsonKey.name(column)).push(" = ").bind(Value::Text(key));
        Ok(())
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        sql.push(match near.metric {
            // Added to zero, -0.0 and 0.0 are one score.
            Metric::Cosine => "DOUBLE '0' + cosine_similarity(",
            Metric::Dot => "DOUBLE '0' + dot_product(",
            Metric::L2 => "DOUBLE '0' - euclidean_distance(",
        });
        sql.push("CAST(");
        term.write_column(sql);
        sql.push(" AS array(double)), ").bind(Value::Vector(near.vector.clone())).push(")");
        Ok(())
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        term.write_order(sql)?;
        sql.push(if descending { " DESC NULLS LAST" } else { " ASC NULLS LAST" });
        Ok(())
    }

    fn limit(&self, sql: &mut Sql<'_>, limit: Option<usize>, offset: usize) {
        if offset > 0 {
            sql.push(" OFFSET ").number(offset);
        }
        if let Some(limit) = limit {
            // Limits are literals of the grammar there, not expressions.
            sql.push(" LIMIT ").number(limit.min(i64::MAX as usize));
        }
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
        let is_float = matches!(term.logical(), LogicalType::Float);
        match function {
            AggregateFunction::Count => by(sql, "COUNT(", ")"),
            AggregateFunction::CountDistinct => by(sql, "COUNT(DISTINCT ", ")"),
            AggregateFunction::Min => by(sql, "MIN(", ")"),
            AggregateFunction::Max => by(sql, "MAX(", ")"),
            AggregateFunction::Sum if is_float => by(sql, "SUM(", ")"),
            // Sums of `bigint` fail on the way, even where what follows would bring them back into their range.
            AggregateFunction::Sum if matches!(term.logical(), LogicalType::Int { .. }) => {
                by(sql, "CAST(SUM(CAST(", " AS decimal(38, 0))) AS varchar)")
            }
            AggregateFunction::Sum => by(sql, "CAST(SUM(", ") AS varchar)"),
            AggregateFunction::Avg => {
                if is_float {
                    by(sql, "(SUM(", ") / ")?;
                } else if matches!(term.logical(), LogicalType::Int { .. }) {
                    by(sql, "(CAST(SUM(CAST(", " AS decimal(38, 0))) AS double) / ")?;
                } else {
                    by(sql, "(CAST(SUM(", ") AS double) / ")?;
                }
                by(sql, "COUNT(", "))")
            }
        }
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }
}
