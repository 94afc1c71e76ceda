use std::borrow::Cow;

use super::columns::{self, Beside};
use super::{codec, text};
use crate::backends::sql::shadow::digest_bytes;
use crate::backends::sql::{Comparison, Dialect, HasTest, Sql, Statement, Term, TextTest, children, list, unsupported};
use crate::capability::{Operation, Placement, Support, questions};
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::Result;
use crate::filter::{Condition, Target, Test};
use crate::schema::{Column, KeyKind, Part};
use crate::types::{Id, Json, LogicalType, Metric, Value, words};

/// Most values of one statement that we bind; the server takes 65,535, and plans long before that.
pub(super) const PARAMETERS: usize = 16_384;

/// Most members of a set, and most ids of one statement.
pub(super) const MEMBERS: usize = 4_000;

/// Most members of one list; the server takes no more.
const LIST: usize = 1_000;

/// What Oracle says differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct OracleDialect {
    /// Whether it has the type `VECTOR`.
    pub(super) vectors: bool,
}

fn never(sql: &mut Sql<'_>) -> Result<()> {
    sql.push("1 = 0");
    Ok(())
}

/// So many values as are bound for a set: the next power of two, so that few statements differ and most are parsed already.
fn padded(members: usize) -> usize {
    if members > LIST / 2 { members.next_multiple_of(LIST) } else { members.next_power_of_two() }
}

/// Writes whether something is one of these values, in lists as long as the server takes. The last value fills up the last.
fn among(sql: &mut Sql<'_>, subject: impl Fn(&mut Sql<'_>), values: &[Value]) -> Result<()> {
    let Some(last) = values.last() else { return never(sql) };
    let wanted: Vec<&Value> = values.iter().chain(std::iter::repeat_n(last, padded(values.len()) - values.len())).collect();
    sql.push("(");
    sql.list(wanted.chunks(LIST), " OR ", |sql, chunk| {
        subject(sql);
        sql.push(" IN (");
        sql.list(chunk, ", ", |sql, value| {
            sql.bind((*value).clone());
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    })?;
    sql.push(")");
    Ok(())
}

impl OracleDialect {
    fn takes_condition(&self, part: &Part, column: Option<&Column>, condition: &Condition) -> bool {
        let mapped = part.is_mapped();
        let logical = column.map_or(LogicalType::Id, |column| column.logical);
        let held = |value: &Value| match value {
            Value::Text(text) if text::is_text(&logical) => mapped && text.is_empty() || text::comparable(mapped, &logical, text),
            value => !mapped || codec::in_calendar(value),
        };
        let test = match condition {
            Condition::Contains(needle) => TextTest::Contains(needle),
            Condition::StartsWith(prefix) => TextTest::StartsWith(prefix),
            Condition::EndsWith(suffix) => TextTest::EndsWith(suffix),
            Condition::Like(pattern) => TextTest::Like(pattern),
            Condition::IContains(_) | Condition::ILike(_) | Condition::Regex(_) => return false,
            Condition::Matches(text) | Condition::Phrase(text) => {
                return column.is_some_and(|c| c.placement == Placement::InvertedIndex) && words(text).take(LIST + 1).count() <= LIST;
            }
            Condition::Has(_) | Condition::HasAny(_) | Condition::HasAll(_) => {
                let beside = column.is_some_and(|c| c.placement == Placement::SideTable);
                return list::takes(condition, LIST, |piece| beside || piece.len() <= text::BOUND);
            }
            Condition::IsNull | Condition::IsSome => return true,
            // What others wrote has no digest beside it.
            _ if mapped && matches!(logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Bytes) => return false,
            Condition::In(members) | Condition::NotIn(members) => {
                return members.len() <= MEMBERS && (self.has_digest(mapped, &logical) || members.iter().all(held));
            }
            Condition::Eq(value) | Condition::Ne(value) => return self.has_digest(mapped, &logical) || held(value),
            Condition::Between(low, high) => return held(low) && held(high),
            Condition::Lt(value) | Condition::Le(value) | Condition::Gt(value) | Condition::Ge(value) => return held(value),
        };
        text::takes(mapped, &logical, test)
    }

    /// Whether equality is that of digests: whatever the length.
    fn has_digest(&self, mapped: bool, logical: &LogicalType) -> bool {
        !mapped && (text::is_long(logical) || matches!(logical, LogicalType::Bytes | LogicalType::Json | LogicalType::List(_)))
    }

    /// The column that holds a digest of a term, or a vector as it is searched.
    fn beside(&self, term: &Term<'_>, wanted: Beside) -> Option<String> {
        columns::beside(self, term.part, term.position()?).into_iter().find(|(what, _)| *what == wanted).map(|(_, name)| name)
    }

    /// Compares digests.
    fn same(&self, sql: &mut Sql<'_>, term: &Term<'_>, equal: bool, value: &Value) -> Result<()> {
        match self.beside(term, Beside::Digest) {
            Some(name) => {
                sql.push("t.").name(&name).push(if equal { " = " } else { " <> " }).bind(digest_bytes(value));
                Ok(())
            }
            None => Err(unsupported(self.kind(), "this comparison", term)),
        }
    }

    /// A value as it is compared with a term; `None` where nothing there equals it.
    fn operand(&self, term: &Term<'_>, value: &Value) -> Option<Value> {
        match value {
            Value::Text(text) if text::is_text(&term.logical()) => text::operand(term, text).map(Value::Text),
            value if term.part.is_mapped() => columns::mapped(value),
            value => Some(columns::stored(&term.logical(), value.clone())),
        }
    }
}

impl Dialect for OracleDialect {
    fn kind(&self) -> &'static str {
        "oracle"
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }

    fn placeholder(&self, number: usize, _: &Value, text: &mut String) {
        text.push(':');
        text.push_str(&number.to_string());
    }

    fn max_parameters(&self) -> usize {
        PARAMETERS
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        columns::column_type(logical)
    }

    fn version_type(&self) -> &'static str {
        "NUMBER(19)"
    }

    fn stored(&self, logical: &LogicalType, value: Value) -> Value {
        columns::stored(logical, value)
    }

    fn takes(&self, part: &Part, test: &Test) -> bool {
        native_only(part, test)
            && match &test.target {
                Target::Value => self.takes_condition(part, part.column(&test.field).map(|(_, column)| column), &test.condition),
                Target::Length => !matches!(&test.condition, Condition::In(members) | Condition::NotIn(members) if members.len() > MEMBERS),
                Target::Path(_) => false,
            }
    }

    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        let equality = matches!(how, Comparison::Eq | Comparison::Ne);
        match value {
            Value::Text(wanted) if text::is_text(&term.logical()) => {
                // A head serves an index, and answers alone where it can.
                if equality && text::lies_long(term) && !text::fits_head(&text::stored(wanted.clone())) {
                    return self.same(sql, term, how == Comparison::Eq, value);
                }
                text::compare(sql, term, how, wanted)
            }
            Value::Bytes(_) if equality && self.has_digest(term.part.is_mapped(), &term.logical()) => {
                self.same(sql, term, how == Comparison::Eq, value)
            }
            value => {
                let Some(operand) = self.operand(term, value) else { return Err(unsupported(self.kind(), "this comparison", term)) };
                term.write(sql)?;
                sql.push(how.text()).bind(operand);
                Ok(())
            }
        }
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        if let [only] = members {
            return self.compare(sql, term, Comparison::Eq, only);
        }
        self.check_parameters(sql, padded(members.len()))?;
        let logical = term.logical();
        let heads = |value: &Value| value.as_text().is_some_and(|text| text::fits_head(&text::stored(text.to_owned())));
        if self.has_digest(term.part.is_mapped(), &logical) && !(text::is_text(&logical) && members.iter().all(heads)) {
            let Some(name) = self.beside(term, Beside::Digest) else { return Err(unsupported(self.kind(), "this comparison", term)) };
            let digests: Vec<Value> = members.iter().map(digest_bytes).collect();
            return among(sql, |sql| _ = sql.push("t.").name(&name), &digests);
        }
        let values: Vec<Value> = members.iter().filter_map(|member| self.operand(term, member)).collect();
        if text::is_text(&logical) {
            return among(sql, |sql| text::subject(sql, term), &values);
        }
        let mut subject = Sql::new(self);
        term.write(&mut subject)?;
        let subject = subject.finish().text;
        among(sql, |sql| _ = sql.push_type(&subject), &values)
    }

    fn sorts_uuids_by_bytes(&self) -> bool {
        true
    }

    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        let key = Term::key(part);
        if part.key().kind == KeyKind::Uuid {
            sql.push("REGEXP_REPLACE(LOWER(RAWTOHEX(");
            key.write_column(sql);
            sql.push(")), '(.{8})(.{4})(.{4})(.{4})(.{12})', '\\1-\\2-\\3-\\4-\\5')");
            return;
        }
        sql.push("TO_CHAR(");
        key.write_column(sql);
        sql.push(")");
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        text::test(sql, self, term, test)
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, words: &[String], phrase: bool) -> Result<()> {
        children::words_test(sql, self, term, words, phrase)
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        children::list_test(sql, self, term, test, items, |sql, piece| {
            // The brackets at both ends become commas.
            sql.push("INSTR(',' || SUBSTR(");
            term.write_column(sql);
            sql.push(", 2, LENGTH(");
            term.write_column(sql);
            sql.push(") - 2) || ',', ").bind(Value::Text(piece)).push(") > 0");
        })
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        self.same(sql, term, true, items)
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        // A comma stands between two items, and nowhere else; nothing else is as short as a list of none.
        sql.push("CASE WHEN LENGTH(");
        term.write_column(sql);
        sql.push(") = 2 THEN 0 ELSE LENGTH(");
        term.write_column(sql);
        sql.push(") - LENGTH(REPLACE(");
        term.write_column(sql);
        sql.push(", ',')) + 1 END");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        self.same(sql, term, true, &Value::Json(Box::new(json.clone())))
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        let Some(name) = self.beside(term, Beside::Searched) else { return Err(unsupported(self.kind(), "vector search", term)) };
        sql.push(if near.metric == Metric::Cosine { "1 - VECTOR_DISTANCE(t." } else { "0 - VECTOR_DISTANCE(t." });
        sql.name(&name).push(", ").bind(Value::Vector(near.vector.clone()));
        sql.push(match near.metric {
            Metric::Cosine => ", COSINE)",
            Metric::L2 => ", EUCLIDEAN)",
            // The negative of the product.
            Metric::Dot => ", DOT)",
        });
        Ok(())
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        if text::is_text(&term.logical()) {
            text::subject(sql, term);
        } else {
            term.write_order(sql)?;
        }
        sql.push(if descending { " DESC" } else { " ASC" });
        // Ascending, the server has nulls last by itself, and an index serves.
        sql.push(if term.nullable() { " NULLS LAST" } else { "" });
        Ok(())
    }

    fn limit(&self, sql: &mut Sql<'_>, limit: Option<usize>, offset: usize) {
        if offset > 0 {
            sql.push(" OFFSET ").number(offset.min(i64::MAX as usize)).push(" ROWS");
        }
        if let Some(limit) = limit {
            sql.push(" FETCH NEXT ").number(limit.clamp(1, i64::MAX as usize)).push(" ROWS ONLY");
        }
    }

    fn aggregates(&self, part: &Part, column: &Column, operation: Operation) -> bool {
        // The table speaks of all texts; short ones compare as we do.
        let short = matches!(column.logical, LogicalType::Text { .. }) && (part.is_mapped() || !text::is_long(&column.logical));
        short && matches!(operation, Operation::GroupBy | Operation::MinMax)
            || questions::support(part.kind, operation, column.logical.class(), column.placement) == Support::Native
    }

    fn measure(&self, sql: &mut Sql<'_>, function: AggregateFunction, term: Option<&Term<'_>>) -> Result<()> {
        let Some(term) = term else {
            sql.push("COUNT(*)");
            return Ok(());
        };
        let (open, close) = match function {
            // A `CLOB` is not counted itself.
            AggregateFunction::Count => {
                sql.push("COUNT(CASE WHEN ");
                term.write_column(sql);
                sql.push(" IS NOT NULL THEN 1 END)");
                return Ok(());
            }
            AggregateFunction::CountDistinct => ("COUNT(DISTINCT ", ")"),
            AggregateFunction::Sum => ("SUM(", ")"),
            AggregateFunction::Avg => {
                sql.push("CAST(SUM(");
                term.write_column(sql);
                // As many digits as numbers have, then a double: an average of doubles alone would round each of its steps.
                sql.push(") AS BINARY_DOUBLE) / NULLIF(COUNT(");
                term.write_column(sql);
                sql.push("), 0)");
                return Ok(());
            }
            AggregateFunction::Min => ("MIN(", ")"),
            AggregateFunction::Max => ("MAX(", ")"),
        };
        sql.push(open);
        term.write(sql)?;
        sql.push(close);
        Ok(())
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let keys = part.key().values(ids);
        if keys.is_empty() { never(sql) } else { self.is_member(sql, &Term::key(part), &keys) }
    }

    fn index(&self, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
        columns::index(self, part, columns, unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_as_long_as_the_server_takes_and_few_lengths_differ() {
        assert_eq!([1, 2, 3, 100, 500, 501, 1_000, 1_001, 4_000].map(padded), [1, 2, 4, 128, 512, 1_000, 1_000, 2_000, 4_000]);
        let dialect = OracleDialect { vectors: true };
        let mut sql = Sql::new(&dialect);
        let values: Vec<Value> = (0..1_001).map(Value::Int).collect();
        assert!(among(&mut sql, |sql| _ = sql.push("x"), &values).is_ok());
        let statement = sql.finish();
        assert_eq!((statement.values.len(), statement.text.matches(" IN (").count()), (2_000, 2));
    }
}
