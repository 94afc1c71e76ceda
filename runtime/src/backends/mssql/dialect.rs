use std::borrow::Cow;

use super::columns::{self, Beside};
use super::text;
use crate::backends::sql::decimal::{Bound, bound, possible};
use crate::backends::sql::shadow::digest_bytes;
use crate::backends::sql::{Comparison, Dialect, HasTest, Sql, Statement, Term, TextTest, children, list, quote_with, unsupported};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::Result;
use crate::filter::{Condition, Target, Test};
use crate::schema::{Column, KeyKind, Part};
use crate::types::{Id, Json, LogicalType, Metric, Value};

/// Most values of one statement: 2,100, less what the protocol takes for itself.
pub(super) const PARAMETERS: usize = 2_000;

/// Most members of a set that are bound one by one; more travel as one JSON array, where it holds them exactly.
const BOUND: usize = 16;

/// Most UTF-16 units of an item that is looked for in the text of a list.
const PIECE: usize = 3_900;

/// What SQL Server says differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct MssqlDialect {
    /// Whether it has the type `VECTOR`.
    pub(super) vectors: bool,
}

/// Whether a set travels as JSON: numbers and texts without the character that JSON can only escape.
fn as_json(members: &[Value]) -> bool {
    members.iter().all(|member| match member {
        Value::Text(text) => !text.contains('\0'),
        Value::Int(_) | Value::Timestamp(_) | Value::Date(_) | Value::Duration(_) => true,
        _ => false,
    })
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        _ => None,
    }
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

impl MssqlDialect {
    fn takes_condition(&self, part: &Part, column: Option<&Column>, condition: &Condition) -> bool {
        let bytes = column.is_none_or(|column| text::kept_as_bytes(&column.logical));
        let test = match condition {
            Condition::Contains(needle) => TextTest::Contains(needle),
            Condition::StartsWith(prefix) => TextTest::StartsWith(prefix),
            Condition::EndsWith(suffix) => TextTest::EndsWith(suffix),
            Condition::Like(pattern) => TextTest::Like(pattern),
            Condition::IsNull | Condition::IsSome => return true,
            Condition::In(members) | Condition::NotIn(members) if members.len() > 500 && !as_json(members) => return false,
            Condition::IContains(_) | Condition::ILike(_) | Condition::Regex(_) => return false,
            Condition::Matches(_) | Condition::Phrase(_) => return column.is_some_and(|c| c.placement == Placement::InvertedIndex),
            Condition::Has(_) | Condition::HasAny(_) | Condition::HasAll(_) => {
                return column.is_some_and(|c| c.placement == Placement::SideTable)
                    || list::takes(condition, 500, |piece| text::units(piece) <= PIECE);
            }
            // What others wrote has no digest beside it.
            _ => return !part.is_mapped() || !column.is_some_and(|c| matches!(c.logical, LogicalType::Json | LogicalType::List(_))),
        };
        text::takes(test) && (!bytes || matches!(test, TextTest::StartsWith(_) | TextTest::EndsWith(_)))
    }

    /// Compares a term that holds no text.
    fn compare_plain(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        if let (true, Value::Uuid(uuid)) = (term.part.is_mapped(), value) {
            // The server's own order of UUIDs is none of ours; their texts have it.
            if matches!(how, Comparison::Eq | Comparison::Ne) {
                term.write_column(sql);
                sql.push(how.text()).bind(Value::Uuid(*uuid));
            } else {
                uuid_text(sql, term);
                sql.push(how.text()).bind(text::bound(&uuid.to_string()));
            }
            return Ok(());
        }
        if let (true, Value::Timestamp(_) | Value::Date(_)) = (term.part.is_mapped(), value) {
            let Some(operand) = columns::mapped(value) else {
                // Earlier than everything that is there.
                let holds = matches!(how, Comparison::Gt | Comparison::Ge | Comparison::Ne);
                return if holds { some(sql, term) } else { never(sql) };
            };
            term.write_column(sql);
            sql.push(how.text()).push("CAST(").bind(operand).push(" AS ").push_type(&columns::plain_type(&term.logical(), true)).push(")");
            return Ok(());
        }
        let (how, value) = match bound(&term.logical(), how, value) {
            Bound::With(how, value) => (how, value),
            Bound::Never => return never(sql),
            Bound::Always => return some(sql, term),
        };
        term.write(sql)?;
        sql.push(how.text()).bind(self.stored(&term.logical(), value));
        Ok(())
    }

    /// The column that holds a digest of a term, or a vector as it is searched.
    fn beside(&self, term: &Term<'_>, wanted: Beside) -> Option<String> {
        columns::beside(self, term.part, term.position()?).into_iter().find(|(what, _)| *what == wanted).map(|(_, name)| name)
    }
}

/// Writes a UUID of the server's type as the bytes of its text, which sort as it does elsewhere.
fn uuid_text(sql: &mut Sql<'_>, term: &Term<'_>) {
    sql.push("CAST(LOWER(CAST(");
    term.write_column(sql);
    sql.push(" AS VARCHAR(36))) AS VARBINARY(36))");
}

impl Dialect for MssqlDialect {
    fn kind(&self) -> &'static str {
        "mssql"
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }

    fn quote(&self, name: &str, text: &mut String) {
        quote_with('[', ']', name, text);
    }

    fn placeholder(&self, number: usize, _: &Value, text: &mut String) {
        text.push_str("@P");
        text.push_str(&number.to_string());
    }

    fn max_parameters(&self) -> usize {
        PARAMETERS
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        columns::column_type(logical)
    }

    fn stored(&self, logical: &LogicalType, value: Value) -> Value {
        columns::stored(logical, value)
    }

    fn takes(&self, part: &Part, test: &Test) -> bool {
        native_only(part, test)
            && match &test.target {
                Target::Value => self.takes_condition(part, part.column(&test.field).map(|(_, column)| column), &test.condition),
                Target::Length => {
                    !matches!(&test.condition, Condition::In(members) | Condition::NotIn(members) if members.len() > PARAMETERS / 2 && !as_json(members))
                }
                Target::Path(_) => false,
            }
    }

    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        match value {
            Value::Text(text) if text::is_text(&term.logical()) => text::compare(sql, term, how, text),
            Value::Bytes(bytes) if matches!(how, Comparison::Eq | Comparison::Ne) => {
                text::same_bytes(sql, &|sql| term.write_column(sql), bytes, how == Comparison::Eq);
                Ok(())
            }
            value => self.compare_plain(sql, term, how, value),
        }
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        let logical = term.logical();
        if let [only] = members {
            return self.compare(sql, term, Comparison::Eq, only);
        }
        let texts: Vec<&str> = members.iter().filter_map(Value::as_text).collect();
        let json = members.len() > BOUND && as_json(members);
        if text::is_text(&logical) && json && texts.len() == members.len() {
            return text::among(sql, term, &texts);
        }
        let numbers: Vec<i64> = members.iter().filter_map(|member| whole(&self.stored(&logical, member.clone()))).collect();
        let moments = matches!(logical, LogicalType::Timestamp | LogicalType::Date);
        if json && numbers.len() == members.len() && !(term.part.is_mapped() && moments) {
            let json = serde_json::to_string(&numbers).unwrap_or_default();
            term.write(sql)?;
            sql.push(" IN (SELECT CAST(j.[value] AS BIGINT) FROM OPENJSON(").bind(Value::Text(json)).push(") j)");
            return Ok(());
        }
        let bytes = !term.part.is_mapped() && text::kept_as_bytes(&logical);
        let plain = bytes
            || matches!(logical, LogicalType::Int { .. } | LogicalType::Float | LogicalType::Bool | LogicalType::Duration)
            || !term.part.is_mapped() && matches!(logical, LogicalType::Timestamp | LogicalType::Date | LogicalType::Uuid);
        if !plain {
            let members = possible(&logical, members);
            if members.is_empty() {
                return never(sql);
            }
            // At most three values a member.
            self.check_parameters(sql, members.len() * 3)?;
            sql.push("(");
            sql.list(&members, " OR ", |sql, member| self.compare(sql, term, Comparison::Eq, member))?;
            sql.push(")");
            return Ok(());
        }
        self.check_parameters(sql, members.len())?;
        term.write(sql)?;
        sql.push(" IN (");
        sql.list(members, ", ", |sql, member| {
            sql.bind(self.stored(&logical, member.clone()));
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let keys = part.key().values(ids);
        let term = Term::key(part);
        match keys.as_slice() {
            [] => never(sql),
            [only] => self.compare(sql, &term, Comparison::Eq, only),
            keys => match part.key().kind {
                KeyKind::Text => text::among(sql, &term, &keys.iter().filter_map(Value::as_text).collect::<Vec<_>>()),
                KeyKind::Int => {
                    let json = serde_json::to_string(&keys.iter().filter_map(whole).collect::<Vec<_>>()).unwrap_or_default();
                    term.write_column(sql);
                    sql.push(" IN (SELECT CAST(j.[value] AS BIGINT) FROM OPENJSON(").bind(Value::Text(json)).push(") j)");
                    Ok(())
                }
                KeyKind::Uuid => {
                    let texts: Vec<&str> = ids.iter().map(Id::as_str).filter(|id| KeyKind::Uuid.value(id).is_some()).collect();
                    let json = serde_json::to_string(&texts).unwrap_or_default();
                    term.write_column(sql);
                    sql.push(" IN (SELECT CAST(j.[value] AS UNIQUEIDENTIFIER) FROM OPENJSON(").bind(Value::Text(json)).push(") j)");
                    Ok(())
                }
            },
        }
    }

    fn existing_text(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        text::bytes(sql, term);
    }

    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        let key = Term::key(part);
        if part.key().kind == KeyKind::Uuid {
            return uuid_text(sql, &key);
        }
        sql.push("CAST(CAST(");
        key.write_column(sql);
        sql.push(" AS VARCHAR(20)) AS VARBINARY(20))");
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
            sql.push("CHARINDEX(").bind(Value::Text(piece)).push(", CONCAT(N',', SUBSTRING(");
            term.write_column(sql);
            sql.push(", 2, LEN(");
            term.write_column(sql);
            sql.push(") - 2), N',')) > 0");
        })
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        let wanted = list::text(items.as_list().unwrap_or_default());
        if !matches!(term.logical(), LogicalType::List(LogicalType::Float)) {
            // A list ends in a bracket: no blanks are filled in.
            term.write_column(sql);
            sql.push(" = ").bind(Value::Text(wanted));
            return Ok(());
        }
        // Zero has two signs, and both are equal.
        let unsigned = wanted.replace(['[', ']'], ",").replace(',', ",,").replace(",-0.0,", ",0.0,");
        sql.push("REPLACE(REPLACE(REPLACE(REPLACE(");
        term.write_column(sql);
        sql.push(", N'[', N','), N']', N','), N',', N',,'), N',-0.0,', N',0.0,') = ").bind(Value::Text(unsigned));
        Ok(())
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        // A comma stands between two items, and nowhere else.
        sql.push("CASE WHEN ");
        term.write_column(sql);
        sql.push(" = N'[]' THEN 0 ELSE LEN(");
        term.write_column(sql);
        sql.push(") - LEN(REPLACE(");
        term.write_column(sql);
        sql.push(", N',', N'')) + 1 END");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        let Some(name) = self.beside(term, Beside::Digest) else { return Err(unsupported(self.kind(), "JSON equality", term)) };
        sql.push("t.").name(&name).push(" = ").bind(digest_bytes(&Value::Json(Box::new(json.clone()))));
        Ok(())
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        let Some(name) = self.beside(term, Beside::Searched) else { return Err(unsupported(self.kind(), "vector search", term)) };
        sql.push(match near.metric {
            Metric::Cosine => "1.0E0 - VECTOR_DISTANCE('cosine', t.",
            Metric::L2 => "0.0E0 - VECTOR_DISTANCE('euclidean', t.",
            Metric::Dot => "0.0E0 - VECTOR_DISTANCE('dot', t.",
        });
        sql.name(&name).push(", CAST(").bind(Value::Text(columns::vector_text(&near.vector))).push(" AS VECTOR(");
        sql.number(near.vector.len()).push(")))");
        Ok(())
    }

    fn near_order(&self, sql: &mut Sql<'_>, _: &Term<'_>, _: &NearQuery) -> Result<()> {
        sql.push("[_hb_score] DESC");
        Ok(())
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        let way = if descending { " DESC" } else { " ASC" };
        if term.nullable() {
            sql.push("CASE WHEN ");
            term.write_column(sql);
            sql.push(" IS NULL THEN 1 ELSE 0 END, ");
        }
        if term.part.is_mapped() && term.logical() == LogicalType::Uuid {
            uuid_text(sql, term);
        } else if matches!(term.logical(), LogicalType::Text { .. }) {
            // Of two texts that differ by zero bytes at their end, the shorter comes first.
            text::bytes(sql, term);
            sql.push(way).push(", DATALENGTH(");
            text::bytes(sql, term);
            sql.push(")");
        } else {
            term.write_order(sql)?;
        }
        sql.push(way);
        Ok(())
    }

    fn limit(&self, sql: &mut Sql<'_>, limit: Option<usize>, offset: usize) {
        sql.push(" OFFSET ").number(offset.min(i64::MAX as usize)).push(" ROWS");
        if let Some(limit) = limit {
            sql.push(" FETCH NEXT ").number(limit.clamp(1, i64::MAX as usize)).push(" ROWS ONLY");
        }
    }

    fn limit_unordered(&self, sql: &mut Sql<'_>, limit: usize) {
        sql.push(" ORDER BY (SELECT NULL)");
        self.limit(sql, Some(limit), 0);
    }

    fn group_key(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        if !matches!(term.logical(), LogicalType::Text { .. }) {
            return term.write(sql);
        }
        // With a byte behind it that is not zero, texts of any end are told apart.
        text::bytes(sql, term);
        sql.push(" + 0x01");
        Ok(())
    }

    fn measure(&self, sql: &mut Sql<'_>, function: AggregateFunction, term: Option<&Term<'_>>) -> Result<()> {
        let Some(term) = term else {
            sql.push("COUNT_BIG(*)");
            return Ok(());
        };
        let whole = matches!(term.logical(), LogicalType::Int { .. } | LogicalType::Duration);
        let sum = |sql: &mut Sql<'_>| {
            // As wide as the server's numbers are: a part of a sum then overflows only where the whole does.
            sql.push(if whole { "SUM(CAST(" } else { "SUM(" });
            term.write_column(sql);
            sql.push(if whole { " AS DECIMAL(38, 0)))" } else { ")" });
        };
        match function {
            AggregateFunction::Count => {
                sql.push("COUNT_BIG(");
                term.write_column(sql);
                sql.push(")");
            }
            AggregateFunction::CountDistinct => {
                sql.push("COUNT_BIG(DISTINCT ");
                self.group_key(sql, term)?;
                sql.push(")");
            }
            AggregateFunction::Sum => sum(sql),
            AggregateFunction::Avg => {
                sql.push("CAST(");
                sum(sql);
                sql.push(" AS FLOAT(53)) / NULLIF(COUNT_BIG(");
                term.write_column(sql);
                sql.push("), 0)");
            }
            AggregateFunction::Min | AggregateFunction::Max => {
                sql.push(if function == AggregateFunction::Min { "MIN(" } else { "MAX(" });
                if term.part.is_mapped() && term.logical() == LogicalType::Uuid {
                    uuid_text(sql, term);
                } else {
                    term.write(sql)?;
                }
                sql.push(")");
            }
        }
        Ok(())
    }

    fn index(&self, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
        columns::index(self, part, columns, unique)
    }
}
