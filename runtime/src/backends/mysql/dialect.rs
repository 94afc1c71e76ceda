use std::borrow::Cow;

use super::server::Server;
use super::{children, codec, json, pattern};
use crate::backends::sql::list;
use crate::backends::sql::pattern::{after_prefix, like, like_literal};
use crate::backends::sql::{Comparison, Dialect, HasTest, Sql, Statement, Term, TextTest, quote_with, unsupported};
use crate::capability::Placement;
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::Result;
use crate::filter::{Condition, Segment, Target, Test};
use crate::schema::{Column, KeyKind, Part};
use crate::types::{Json, LogicalType, Value};

/// Longest text, in characters, that lies in a column of a bounded type.
pub(super) const SHORT: u32 = 255;

/// Longest text, in characters, that the server sorts by to its end.
pub(super) const SORTED: u32 = 65_535;

/// What a server that searches vectors says of them.
pub(in crate::backends) trait Vectors: Send + Sync + 'static {
    /// Name and type of the column that is searched. It lies beside the field's own, which keeps the numbers bit by bit.
    fn beside(&self, column: &Column) -> Option<(String, String)>;

    /// The numbers as that column takes them.
    fn bound(&self, numbers: &[f32]) -> Value;

    /// Whether a column has an index that a search takes.
    fn is_indexed(&self, column: &Column) -> bool;

    /// The statement that creates a column's index, if it asks for one.
    fn create_index(&self, dialect: &dyn Dialect, part: &Part, column: &Column) -> Result<Option<Statement>>;

    /// Writes the score, higher is better.
    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()>;

    /// Writes what a search is ordered by.
    fn order(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()>;
}

/// What the servers that speak MySQL's protocol say differently from others, and (by `server`) from each other.
#[derive(Clone, Copy)]
pub(in crate::backends) struct MySqlDialect {
    pub(in crate::backends) kind: &'static str,
    pub(in crate::backends) server: Server,
    pub(in crate::backends) vectors: Option<&'static dyn Vectors>,
}

/// What escapes in the patterns that we write.
const ESCAPE: char = '|';

fn is_text(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_))
}

/// Writes a text test; `subject` writes the text, which compares by bytes already when `exact`.
pub(super) fn text_test<'d>(
    sql: &mut Sql<'d>,
    dialect: &MySqlDialect,
    subject: &dyn Fn(&mut Sql<'d>) -> Result<()>,
    exact: bool,
    test: TextTest<'_>,
) -> Result<()> {
    let bytes = |sql: &mut Sql<'d>| if exact { subject(sql) } else { dialect.by_bytes(sql, subject) };
    let chars = |sql: &mut Sql<'d>| {
        if exact && !dialect.server.keeps_bytes() {
            return subject(sql);
        }
        sql.push("CONVERT(");
        subject(sql)?;
        sql.push(" USING utf8mb4) COLLATE ").push(dialect.server.collation());
        Ok(())
    };
    sql.push("(");
    match test {
        TextTest::Contains(needle) => {
            sql.push("LOCATE(");
            dialect.bind_text(sql, needle);
            sql.push(", ");
            bytes(sql)?;
            sql.push(") > 0");
        }
        // Every text does; seekdb fails where a long one is compared with the empty one.
        TextTest::StartsWith("") => {
            subject(sql)?;
            sql.push(" IS NOT NULL");
        }
        TextTest::StartsWith(prefix) => {
            // Bounds of our own: those that MariaDB makes of a pattern leave out what begins with two characters beyond U+FFFF.
            bytes(sql)?;
            sql.push(" >= ");
            dialect.bind_text(sql, prefix);
            if let Some(end) = after_prefix(prefix) {
                sql.push(" AND ");
                bytes(sql)?;
                sql.push(" < ");
                dialect.bind_text(sql, &end);
            }
        }
        TextTest::EndsWith(suffix) => {
            bytes(sql)?;
            sql.push(" LIKE ");
            dialect.bind_text(sql, &format!("%{}", like_literal(suffix, ESCAPE)));
            sql.push(" ESCAPE '|'");
        }
        TextTest::Like(text) => {
            // Nothing that an index could take bounds from, as above.
            sql.push("CONCAT(");
            chars(sql)?;
            sql.push(", '') LIKE ").bind(Value::Text(like(text, ESCAPE))).push(" ESCAPE '|'");
        }
        TextTest::IContains(needle) => {
            chars(sql)?;
            sql.push(" REGEXP ").bind(Value::Text(pattern::icontains(needle)));
        }
        TextTest::ILike(text) => {
            chars(sql)?;
            sql.push(" REGEXP ").bind(Value::Text(pattern::ilike(text, dialect.server)));
        }
        // The table does not list it.
        TextTest::Regex(_) => drop(sql.push("1 = 0")),
    }
    sql.push(")");
    Ok(())
}

/// Whether a field's text lies in a column that is a key as it is, without a row's room being looked at.
pub(super) fn is_short(logical: &LogicalType) -> bool {
    match logical {
        LogicalType::Id | LogicalType::Ref(_) => true,
        LogicalType::Text { max } => *max <= SHORT,
        LogicalType::Category(names) => names.iter().all(|name| name.chars().count() <= SHORT as usize),
        _ => false,
    }
}

impl MySqlDialect {
    /// Binds a text so that it compares with columns of text.
    pub(super) fn bind_text(&self, sql: &mut Sql<'_>, text: &str) {
        sql.bind(self.stored_text(text.to_owned()));
    }

    /// A text in the form in which it compares with columns of text.
    pub(super) fn stored_text(&self, text: String) -> Value {
        if self.server.keeps_bytes() { Value::Bytes(text.into_bytes().into()) } else { Value::Text(text) }
    }

    /// Writes a text expression so that it compares by bytes, whatever its collation is.
    pub(super) fn by_bytes<'d>(&self, sql: &mut Sql<'d>, text: &dyn Fn(&mut Sql<'d>) -> Result<()>) -> Result<()> {
        sql.push(self.server.open_text());
        text(sql)?;
        sql.push(self.server.close_text());
        Ok(())
    }

    /// The type of a column that is not short: see [`column_type`](Dialect::column_type).
    pub(super) fn long_text(&self) -> &'static str {
        match self.server {
            Server::MariaDb => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
            Server::MySql => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin",
            Server::OceanBase => "LONGBLOB",
        }
    }

    /// The type of a text column of so many characters at most.
    pub(super) fn short_text(&self, most: u32) -> String {
        if self.server.keeps_bytes() {
            return format!("VARBINARY({})", most.max(1) * 4);
        }
        format!("VARCHAR({}){}", most.max(1), self.server.collate())
    }

    /// A value as it is compared with a term of a table that HeavenBase did not create; `None` where the server's own type
    /// cannot hold it, which is below all that it holds.
    fn mapped_operand(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Timestamp(t) => codec::moment(*t).map(Value::Text),
            Value::Date(d) => codec::day(*d).map(Value::Text),
            other => Some(self.stored(&LogicalType::Bool, other.clone())),
        }
    }
}

impl Dialect for MySqlDialect {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn as_dialect(&self) -> &dyn Dialect {
        self
    }

    fn quote(&self, name: &str, text: &mut String) {
        quote_with('`', '`', name, text);
    }

    fn placeholder(&self, _: usize, value: &Value, text: &mut String) {
        text.push_str(match value {
            // A decimal travels as text, and compared with text a decimal column becomes a float.
            Value::Decimal(_) => "CAST(? AS DECIMAL(65, 30))",
            // Bytes travel as a `BLOB`, and beside one OceanBase uses no index: it reads the whole table.
            Value::Bytes(bytes) if self.server.keeps_bytes() && bytes.len() <= SHORT as usize * 4 => "CAST(? AS BINARY)",
            _ => "?",
        });
    }

    fn max_parameters(&self) -> usize {
        65_535
    }

    fn column_type(&self, logical: &LogicalType, _: Placement) -> Cow<'static, str> {
        Cow::Borrowed(match logical {
            LogicalType::Text { max } if is_short(logical) => return self.short_text(*max).into(),
            LogicalType::Id | LogicalType::Ref(_) => return self.short_text(SHORT).into(),
            LogicalType::Category(_) if is_short(logical) => return self.short_text(SHORT).into(),
            LogicalType::Text { .. } | LogicalType::Category(_) => self.long_text(),
            LogicalType::Bool => "BOOLEAN",
            // Moments and days as numbers: `DATETIME` begins in the year 1000, later than ours.
            LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp => "BIGINT",
            LogicalType::Date => "INT",
            LogicalType::Float => "DOUBLE",
            LogicalType::Decimal { precision, scale } => return format!("DECIMAL({}, {scale})", (*precision).max(1)).into(),
            LogicalType::Bytes | LogicalType::Vector(_) => "LONGBLOB",
            LogicalType::Uuid => "BINARY(16)",
            LogicalType::Json => self.server.json_type(),
            LogicalType::List(_) => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        })
    }

    fn table_options(&self) -> &'static str {
        self.server.table_options()
    }

    fn stored(&self, logical: &LogicalType, value: Value) -> Value {
        match value {
            // In a short column it may be a key: see `placeholder`.
            Value::Text(text) if is_short(logical) => Value::Text(text),
            Value::Text(text) => self.stored_text(text),
            Value::Timestamp(t) => Value::Int(t.as_micros()),
            Value::Date(d) => Value::Int(i64::from(d.as_days())),
            Value::Duration(d) => Value::Int(d.as_micros()),
            Value::Bool(b) => Value::Int(i64::from(b)),
            Value::Uuid(u) => Value::Bytes(Box::from(*u.as_bytes())),
            other => other,
        }
    }

    fn takes(&self, part: &Part, test: &Test) -> bool {
        let column = part.column(&test.field).map(|(_, column)| column);
        native_only(part, test)
            && match (&test.target, &test.condition) {
                (Target::Path(path), condition) => {
                    let plain = !matches!(condition, Condition::Matches(_) | Condition::Phrase(_) | Condition::Regex(_));
                    plain && json::takes_path(path) && json::takes_operands(condition)
                }
                // What others wrote has no digest beside it, and no form of ours.
                _ => {
                    !part.is_mapped()
                        || !column.is_some_and(|c| matches!(c.logical, LogicalType::Json | LogicalType::List(_)))
                        || test.target == Target::Length
                        || matches!(test.condition, Condition::IsNull | Condition::IsSome)
                }
            }
    }

    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        // Nothing sorts before the empty text, and seekdb fails where it is asked whether a long text does.
        let how = match (value, how) {
            (Value::Text(text), how) if text.is_empty() => match how {
                Comparison::Lt => {
                    sql.push("1 = 0");
                    return Ok(());
                }
                Comparison::Ge => {
                    term.write_column(sql);
                    sql.push(" IS NOT NULL");
                    return Ok(());
                }
                Comparison::Le => Comparison::Eq,
                Comparison::Gt => Comparison::Ne,
                how => how,
            },
            (_, how) => how,
        };
        if !term.part.is_mapped() || term.length {
            term.write(sql)?;
            sql.push(how.text()).bind(self.stored(&term.logical(), value.clone()));
            return Ok(());
        }
        let Some(operand) = self.mapped_operand(value) else {
            // Earlier than everything that is there.
            if matches!(how, Comparison::Gt | Comparison::Ge | Comparison::Ne) {
                term.write_column(sql);
                sql.push(" IS NOT NULL");
            } else {
                sql.push("1 = 0");
            }
            return Ok(());
        };
        // Compared as it is too, so that the column's own index serves.
        let index = how == Comparison::Eq && is_text(&term.logical()) && !term.is_derived_id();
        if index {
            sql.push("(");
            term.write_column(sql);
            sql.push(" = ").bind(operand.clone()).push(" AND ");
        }
        term.write(sql)?;
        sql.push(how.text());
        match value {
            Value::Timestamp(_) => sql.push("CAST(").bind(operand).push(" AS DATETIME(6))"),
            Value::Date(_) => sql.push("CAST(").bind(operand).push(" AS DATE)"),
            _ => sql.bind(operand),
        };
        sql.push(if index { ")" } else { "" });
        Ok(())
    }

    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        let among = |sql: &mut Sql<'_>| {
            sql.push(" IN (");
            sql.list(members, ", ", |sql, member| {
                sql.bind(self.stored(&term.logical(), member.clone()));
                Ok(())
            })?;
            sql.push(")");
            Ok(())
        };
        let mapped = term.part.is_mapped() && !term.length;
        if mapped && matches!(members.first(), Some(Value::Timestamp(_) | Value::Date(_))) {
            self.check_parameters(sql, members.len())?;
            sql.push("(");
            sql.list(members, " OR ", |sql, member| self.compare(sql, term, Comparison::Eq, member))?;
            sql.push(")");
            return Ok(());
        }
        if !mapped || !is_text(&term.logical()) {
            self.check_parameters(sql, members.len())?;
            term.write(sql)?;
            return among(sql);
        }
        self.check_parameters(sql, members.len() * 2)?;
        sql.push("(");
        term.write_column(sql);
        among(sql)?;
        sql.push(" AND ");
        term.write(sql)?;
        among(sql)?;
        sql.push(")");
        Ok(())
    }

    fn existing_text(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        sql.push(self.server.open_text());
        term.write_column(sql);
        sql.push(self.server.close_text());
    }

    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        sql.push(self.server.open_text());
        if part.key().kind == KeyKind::Uuid {
            sql.push("LOWER(CONCAT(");
            for (i, (from, length)) in [(1, 8), (9, 4), (13, 4), (17, 4), (21, 12)].into_iter().enumerate() {
                sql.push(if i > 0 { ", '-', SUBSTR(HEX(" } else { "SUBSTR(HEX(" });
                Term::key(part).write_column(sql);
                sql.push("), ").number(from).push(", ").number(length).push(")");
            }
            sql.push("))");
        } else {
            sql.push("CAST(");
            Term::key(part).write_column(sql);
            sql.push(" AS CHAR)");
        }
        sql.push(self.server.close_text());
    }

    fn sorts_uuids_by_bytes(&self) -> bool {
        true
    }

    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        text_test(sql, self, &|sql| term.write(sql), true, test)
    }

    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, words: &[String], phrase: bool) -> Result<()> {
        children::words_test(sql, self, term, words, phrase)
    }

    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        children::list_test(sql, self, term, test, items, |sql, piece| list::has_piece(sql, &|sql| term.write_column(sql), piece))
    }

    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        list::equals(sql, &|sql| term.write_column(sql), &term.logical(), items);
        Ok(())
    }

    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        sql.push("JSON_LENGTH(");
        term.write_column(sql);
        sql.push(")");
        Ok(())
    }

    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        match term.column.filter(|_| !term.part.is_mapped()) {
            Some(column) => drop(sql.push("t.").name(&json::digest_name(column)).push(" = ").bind(json::digest(json))),
            None => return Err(unsupported(self.kind, "JSON equality", term)),
        }
        Ok(())
    }

    fn path_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
        json::path_test(sql, self, term, path, condition)
    }

    fn ranks(&self, column: &Column) -> bool {
        self.vectors.is_some() && column.placement == Placement::VectorIndex
    }

    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        match self.vectors {
            Some(vectors) => vectors.score(sql, term, near),
            None => Err(unsupported(self.kind, "vector search", term)),
        }
    }

    fn near_order(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        match self.vectors {
            Some(vectors) => vectors.order(sql, term, near),
            None => Err(unsupported(self.kind, "vector search", term)),
        }
    }

    fn near_ends(&self, term: &Term<'_>, near: &NearQuery) -> Option<&'static str> {
        let indexed = self.vectors.zip(term.column).is_some_and(|(vectors, column)| vectors.is_indexed(column));
        (indexed && !near.exact).then_some(" APPROXIMATE")
    }

    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        // Null is the least value: last where the greatest come first.
        if term.nullable() && !descending {
            term.write_column(sql);
            sql.push(" IS NULL, ");
        }
        term.write_order(sql)?;
        sql.push(if descending { " DESC" } else { " ASC" });
        if self.server == Server::MariaDb && matches!(term.logical(), LogicalType::Text { .. }) {
            // Its sort fills short texts up with U+0000, and takes them for those that end in it.
            sql.push(", LENGTH(");
            term.write_column(sql);
            sql.push(if descending { ") DESC" } else { ")" });
        }
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
        match function {
            AggregateFunction::Count => by(sql, "COUNT(", ")"),
            AggregateFunction::CountDistinct => by(sql, "COUNT(DISTINCT ", ")"),
            // Whole numbers and decimals add up to a decimal of 65 digits, which is read as text and checked.
            AggregateFunction::Sum => by(sql, "SUM(", ")"),
            AggregateFunction::Avg => {
                by(sql, "(SUM(", ") + 0e0) / ")?;
                by(sql, "NULLIF(COUNT(", "), 0)")
            }
            AggregateFunction::Min => by(sql, "MIN(", ")"),
            AggregateFunction::Max => by(sql, "MAX(", ")"),
        }
    }

    fn index(&self, _: &Part, _: &[&Column], _: bool) -> Option<Statement> {
        // There is no `IF NOT EXISTS` for an index: `table` writes them with the table.
        None
    }
}
