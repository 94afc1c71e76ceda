use std::borrow::Cow;

use super::columns::{self, Layout};
use super::{literal, text};
use crate::backends::sql::decimal::{Bound, bound, possible};
use crate::backends::sql::shadow::{Shadow, digest};
use crate::backends::sql::{Comparison, Dialect, HasTest, Sql, Statement, Term, TextTest, list, quote_with, unsupported};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::Result;
use crate::filter::{Condition, Target, Test};
use crate::schema::{Column, KeyKind, Part};
use crate::types::{Id, Json, LogicalType, Metric, Value};

/// Most members of a set in one statement.
pub(super) const MEMBERS: usize = 5_000;

/// Most items of one test of a list.
const ITEMS: usize = 500;

/// What StarRocks says differently.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StarRocksDialect {
    /// Whether texts are shown to somebody instead of run: they have `?` for values.
    pub(super) shown: bool,
    /// How tables are spread.
    pub(super) layout: Layout,
}

fn never(sql: &mut Sql<'_>) -> Result<()> {
    sql.push("1 = 0");
    Ok(())
}

fn some(sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
    term.write_column(sql);
    sql.push(" IS NOT NULL");
    Ok(())
}

fn is_float(term: &Term<'_>) -> bool {
    matches!(term.logical(), LogicalType::Float)
}

/// Writes a term so that equal values are one: 0.0 and -0.0 are.
fn unsigned(sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
    if !is_float(term) {
        return term.write(sql);
    }
    sql.push("(");
    term.write(sql)?;
    sql.push(" + 0e0)");
    Ok(())
}

impl StarRocksDialect {
    fn takes_condition(part: &Part, column: Option<&Column>, condition: &Condition) -> bool {
        match condition {
            Condition::In(members) | Condition::NotIn(members) if members.len() > MEMBERS => false,
            Condition::IsNull | Condition::IsSome => true,
            Condition::Like(pattern) => text::takes(pattern),
            Condition::HasAny(items) | Condition::HasAll(items) => items.len() <= ITEMS,
            Condition::Matches(_) | Condition::Phrase(_) => column.is_some_and(|column| Shadow::of(part, column).is_some()),
            // What others wrote has no digest beside it, and no form of ours.
            _ => !part.is_mapped() || !column.is_some_and(|c| matches!(c.logical, LogicalType::Json | LogicalType::List(_))),
        }
    }

    /// The name of what lies beside a column.
    fn shadow(term: &Term<'_>, wanted: Shadow) -> Option<String> {
        let column = term.column?;
        Shadow::of(term.part, column).filter(|shadow| *shadow == wanted).map(|shadow| shadow.name(column))
    }

    /// A value as it is compared with a term; `None` where it lies before all that the server's own type holds.
    fn operand(term: &Term<'_>, value: &Value) -> Option<Value> {
        if term.part.is_mapped() && !term.length { columns::mapped(value.clone()) } else { Some(columns::stored(value.clone())) }
    }
}

impl Dialect for StarRocksDialect {
    fn kind(&self) -> &'static str {
        "starrocks"
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }

    fn quote(&self, name: &str, text: &mut String) {
        quote_with('`', '`', name, text);
    }

    fn placeholder(&self, _: usize, value: &Value, text: &mut String) {
        if self.shown {
            text.push('?');
        } else {
            literal::write(value, text);
        }
    }

    fn max_parameters(&self) -> usize {
        // Values are text; how many stand in a list is bounded where it is taken.
        usize::MAX
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        columns::column_type(logical, false)
    }

    fn stored(&self, _: &LogicalType, value: Value) -> Value {
        columns::stored(value)
    }

    fn takes(&self, part: &Part, test: &Test) -> bool {
        native_only(part, test)
            && match &test.target {
                Target::Value => Self::takes_condition(part, part.column(&test.field).map(|(_, column)| column), &test.condition),
                Target::Length => !matches!(&test.condition, Condition::In(members) | Condition::NotIn(members) if members.len() > MEMBERS),
                Target::Path(_) => false,
            }
    }

    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        let (how, value) = match bound(&term.logical(), how, value) {
            Bound::With(how, value) => (how, value),
            Bound::Never => return never(sql),
            Bound::Always => return some(sql, term),
        };
        let Some(operand) = Self::operand(term, &value) else {
            let holds = matches!(how, Comparison::Gt | Comparison::Ge | Comparison::Ne);
            return if holds { some(sql, term) } else { never(sql) };
        };
        term.write(sql)?;
        sql.push(how.text()).bind(operand);
        Ok(())
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        let members: Vec<Value> = possible(&term.logical(), members).iter().filter_map(|member| Self::operand(term, member)).collect();
        if members.is_empty() {
            return never(sql);
        }
        unsigned(sql, term)?;
        sql.push(" IN (");
        sql.list(members, ", ", |sql, member| {
            sql.bind(match member {
                Value::Float(number) => Value::Float(number + 0.0),
                other => other,
            });
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        if part.is_mapped() {
            let keys = part.key().values(ids);
            return if keys.is_empty() { never(sql) } else { self.is_member(sql, &Term::key(part), &keys) };
        }
        if ids.is_empty() {
            return never(sql);
        }
        sql.push("t.").name(columns::KEY_COLUMN).push(" IN (");
        sql.list(columns::keys_of(ids), ", ", |sql, key| {
            sql.bind(key);
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        // A number becomes text by itself there.
        sql.push("CONCAT(");
        Term::key(part).write_column(sql);
        sql.push(if part.key().kind == KeyKind::Int { ", '')" } else { ")" });
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        text::test(sql, term, test)
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, words: &[String], phrase: bool) -> Result<()> {
        let Some(name) = Self::shadow(term, Shadow::Words) else {
            return Err(unsupported(self.kind(), "a word search without the placement InvertedIndex", term));
        };
        let column = |sql: &mut Sql<'_>| {
            sql.push("t.").name(&name);
        };
        let words: Vec<Value> = words.iter().cloned().map(Value::Text).collect();
        if !phrase {
            return list::holds(sql, HasTest::All, &words, |sql, piece| list::has_piece(sql, &column, piece));
        }
        // The words of a phrase stand in the list as they stand in a list of their own.
        let text = list::text(&words);
        list::has_piece(sql, &column, format!(",{},", &text[1..text.len() - 1]));
        Ok(())
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        list::holds(sql, test, items, |sql, piece| list::has_piece(sql, &|sql| term.write_column(sql), piece))
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        list::equals(sql, &|sql| term.write_column(sql), &term.logical(), items);
        Ok(())
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        // A comma stands between two items, and nowhere else.
        sql.push("CASE WHEN ");
        term.write_column(sql);
        sql.push(" = '[]' THEN 0 ELSE CHAR_LENGTH(");
        term.write_column(sql);
        sql.push(") - CHAR_LENGTH(REPLACE(");
        term.write_column(sql);
        sql.push(", ',', '')) + 1 END");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        let Some(name) = Self::shadow(term, Shadow::JsonKey) else { return Err(unsupported(self.kind(), "JSON equality", term)) };
        sql.push("t.").name(&name).push(" = ").bind(Value::Text(digest(&Value::Json(Box::new(json.clone())))));
        Ok(())
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        let Some(name) = term.column.and_then(|column| columns::searched(term.part, column)) else {
            return Err(unsupported(self.kind(), "vector search", term));
        };
        // The server's own functions of two vectors go through floats of 32 bits.
        let sum = |sql: &mut Sql<'_>, each: &'static str| {
            sql.push("array_sum(array_map((hb_x, hb_y) -> ").push(each).push(", t.").name(&name).push(", ");
            sql.bind(Value::Vector(near.vector.clone())).push("))");
        };
        match near.metric {
            Metric::Dot => {
                sql.push("0e0 + ");
                sum(sql, "hb_x * hb_y");
            }
            Metric::L2 => {
                sql.push("0e0 - SQRT(");
                sum(sql, "(hb_x - hb_y) * (hb_x - hb_y)");
                sql.push(")");
            }
            Metric::Cosine => {
                let length: f64 = near.vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
                sql.push("0e0 + ");
                sum(sql, "hb_x * hb_y");
                sql.push(" / (SQRT(array_sum(array_map(hb_x -> hb_x * hb_x, t.").name(&name).push("))) * ");
                sql.bind(Value::Float(length)).push(")");
            }
        }
        Ok(())
    }

    fn near_order(&self, sql: &mut Sql<'_>, _: &Term<'_>, _: &NearQuery) -> Result<()> {
        sql.push("`_hb_score` DESC");
        Ok(())
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        if term.nullable() {
            term.write_column(sql);
            sql.push(" IS NULL, ");
        }
        term.write_order(sql)?;
        sql.push(if descending { " DESC" } else { " ASC" });
        Ok(())
    }

    fn limit(&self, sql: &mut Sql<'_>, limit: Option<usize>, offset: usize) {
        sql.push(" LIMIT ").number(limit.unwrap_or(usize::MAX).min(i64::MAX as usize));
        if offset > 0 {
            sql.push(" OFFSET ").number(offset.min(i64::MAX as usize));
        }
    }

    fn group_key(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        unsigned(sql, term)
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
        // Sums of 64 bits go round there instead of failing: 38 digits hold every sum, which is checked here.
        let sum = |sql: &mut Sql<'_>| match term.logical() {
            LogicalType::Int { .. } | LogicalType::Duration => by(sql, "SUM(CAST(", " AS DECIMAL(38, 0)))"),
            _ => by(sql, "SUM(", ")"),
        };
        match function {
            AggregateFunction::Count => by(sql, "COUNT(", ")"),
            AggregateFunction::CountDistinct => {
                sql.push("COUNT(DISTINCT ");
                unsigned(sql, term)?;
                sql.push(")");
                Ok(())
            }
            AggregateFunction::Sum => sum(sql),
            AggregateFunction::Avg => {
                sql.push("CAST(");
                sum(sql)?;
                by(sql, " AS DOUBLE) / NULLIF(COUNT(", "), 0)")
            }
            AggregateFunction::Min => by(sql, "MIN(", ")"),
            AggregateFunction::Max => by(sql, "MAX(", ")"),
        }
    }

    fn index(&self, _: &Part, _: &[&Column], _: bool) -> Option<Statement> {
        // `columns` writes them with the table.
        None
    }
}
