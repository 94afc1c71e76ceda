use std::borrow::Cow;

use super::{Sql, Statement, Term};
use crate::capability::{Operation, Placement, Support, questions};
use crate::driver::{AggregateFunction, NearQuery, native_only};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Condition, Segment, Test};
use crate::schema::{Column, Naming, Part};
use crate::types::{Id, Json, LogicalType, Value};

/// How two values of one family are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

impl Comparison {
    /// The operator, with blanks around.
    pub const fn text(self) -> &'static str {
        match self {
            Comparison::Eq => " = ",
            Comparison::Ne => " <> ",
            Comparison::Lt => " < ",
            Comparison::Le => " <= ",
            Comparison::Gt => " > ",
            Comparison::Ge => " >= ",
        }
    }

    /// The comparison that holds exactly where this one does not, nulls apart.
    #[must_use]
    pub const fn complement(self) -> Self {
        match self {
            Comparison::Eq => Comparison::Ne,
            Comparison::Ne => Comparison::Eq,
            Comparison::Lt => Comparison::Ge,
            Comparison::Le => Comparison::Gt,
            Comparison::Gt => Comparison::Le,
            Comparison::Ge => Comparison::Lt,
        }
    }
}

/// A test of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest<'a> {
    /// Case-sensitive substring.
    Contains(&'a str),
    /// Case-sensitive prefix.
    StartsWith(&'a str),
    /// Case-sensitive suffix.
    EndsWith(&'a str),
    /// Substring after simple lower-casing of both sides.
    IContains(&'a str),
    /// `%`, `_`, `\`; anchored.
    Like(&'a str),
    /// `Like` after simple lower-casing of both sides.
    ILike(&'a str),
    /// Rust `regex` syntax; it compiles, as was checked before.
    Regex(&'a str),
}

/// A test of a list. The items are never empty and of the list's item type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasTest {
    /// The list holds one of these.
    Any,
    /// The list holds all of these.
    All,
}

/// What one SQL engine says differently. A method without an answer of its own returns [`unsupported`], which a driver
/// whose [`takes`](Dialect::takes) is true to the capability table never meets.
///
/// Methods that write a test write an expression that is TRUE exactly where the test holds, and FALSE or NULL elsewhere.
pub trait Dialect: Send + Sync + 'static {
    /// The kind, as in the capability table.
    fn kind(&self) -> &'static str;

    /// What the engine demands of names.
    fn naming(&self) -> Naming {
        Naming::QUOTED
    }

    /// Writes a quoted name.
    fn quote(&self, name: &str, text: &mut String) {
        quote_with('"', '"', name, text);
    }

    /// Writes the placeholder of the `number`th value, counted from 1.
    fn placeholder(&self, number: usize, value: &Value, text: &mut String);

    /// Most placeholders in one statement.
    fn max_parameters(&self) -> usize;

    /// Checks that so many more values can be bound.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] when they cannot.
    fn check_parameters(&self, sql: &Sql<'_>, more: usize) -> Result<()> {
        let most = self.max_parameters();
        if sql.bound() + more <= most {
            return Ok(());
        }
        let why = format!("a statement of more than {most} values, which is the most that {} takes: ask for fewer at once", self.kind());
        Err(Error::new(ErrorKind::LimitExceeded, why))
    }

    /// The type of a column, collation by bytes included, without `NOT NULL`.
    fn column_type(&self, logical: &LogicalType, placement: Placement) -> Cow<'static, str>;

    /// The type of the version column.
    fn version_type(&self) -> &'static str {
        "BIGINT"
    }

    /// What follows the closing bracket of a `CREATE TABLE`.
    fn table_options(&self) -> &'static str {
        ""
    }

    /// A value in the form in which it lies in a column and is bound: what the engine has no type for (a decimal, a
    /// list, a JSON value, a vector) becomes text, bytes or a number that compares the same.
    fn stored(&self, logical: &LogicalType, value: Value) -> Value;

    /// Whether the engine runs a test natively with exactly our meaning.
    fn takes(&self, part: &Part, test: &Test) -> bool {
        native_only(part, test)
    }

    /// Compares a plain term with a value: not null, of the term's family, in logical form.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a type without comparison.
    fn compare(&self, sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
        term.write(sql)?;
        sql.push(how.text()).bind(self.stored(&term.logical(), value.clone()));
        Ok(())
    }

    /// Whether a plain term is one of these: not empty, without null, of the term's family, in logical form.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a type without comparison.
    fn is_member(&self, sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
        self.check_parameters(sql, members.len())?;
        term.write(sql)?;
        sql.push(" IN (");
        sql.list(members, ", ", |sql, member| {
            sql.bind(self.stored(&term.logical(), member.clone()));
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    }

    /// What to write before a filter that stands beside a list of ids, so that the engine reads the rows by id and does not
    /// take an index of the filter instead.
    fn beside_ids(&self) -> &'static str {
        ""
    }

    /// Whether the id is one of these, which are sorted.
    ///
    /// # Errors
    /// None by default.
    fn id_is_one_of(&self, sql: &mut Sql<'_>, part: &Part, ids: &[Id]) -> Result<()> {
        let keys = part.key().values(ids);
        if keys.is_empty() {
            sql.push("1 = 0");
            return Ok(());
        }
        self.is_member(sql, &Term::key(part), &keys)
    }

    /// Writes a text column of a table that exists already so that it compares by bytes, whatever its collation is. The
    /// column as it is by default.
    fn existing_text(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        term.write_column(sql);
    }

    /// Writes the key of a table that exists already, a number or a UUID, as the id: its text, which compares by bytes.
    fn key_text(&self, sql: &mut Sql<'_>, part: &Part) {
        sql.push("CAST(");
        Term::key(part).write_column(sql);
        sql.push(" AS VARCHAR)");
    }

    /// Whether UUIDs compare by their bytes, as their text does: an order by id then is one by the key.
    fn sorts_uuids_by_bytes(&self) -> bool {
        false
    }

    /// Tests a text.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn text_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
        let _ = (sql, test);
        Err(unsupported(self.kind(), "a text test", term))
    }

    /// Whether all words occur, or (`phrase`) stand side by side in this order. Never empty.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn words_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, words: &[String], phrase: bool) -> Result<()> {
        let _ = (sql, words, phrase);
        Err(unsupported(self.kind(), "a word search", term))
    }

    /// Tests which items a list holds.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn list_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value]) -> Result<()> {
        let _ = (sql, test, items);
        Err(unsupported(self.kind(), "a list test", term))
    }

    /// Whether a list has exactly these items in this order.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn list_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, items: &Value) -> Result<()> {
        let _ = (sql, items);
        Err(unsupported(self.kind(), "list equality", term))
    }

    /// Writes the number of a list's items, null for a null list.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn list_length(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        let _ = sql;
        Err(unsupported(self.kind(), "the length of a list", term))
    }

    /// Whether a JSON value equals another: kinds strict, numbers by value.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn json_equal(&self, sql: &mut Sql<'_>, term: &Term<'_>, json: &Json) -> Result<()> {
        let _ = (sql, json);
        Err(unsupported(self.kind(), "JSON equality", term))
    }

    /// Tests what lies at a path of a JSON value; nothing there and JSON `null` are null, and so is a null column.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn path_test(&self, sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
        let _ = (sql, path, condition);
        Err(unsupported(self.kind(), "a JSON path", term))
    }

    /// Whether [`score`](Dialect::score) takes a column. Where it does not, rows are ranked outside of the engine.
    fn ranks(&self, column: &Column) -> bool {
        let _ = column;
        true
    }

    /// Writes the score of a vector column, higher is better.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] by default.
    fn score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        let _ = (sql, near);
        Err(unsupported(self.kind(), "vector search", term))
    }

    /// Whether a column lies in a table of its own beside the part's, and [`write_apart`](Dialect::write_apart) reads it:
    /// where long values in the row would slow down everything else. The driver creates, writes and drops that table.
    fn lies_apart(&self, part: &Part, column: &Column) -> bool {
        let _ = (part, column);
        false
    }

    /// Writes a column that [lies apart](Dialect::lies_apart) as an expression on the row `t`.
    fn write_apart(&self, sql: &mut Sql<'_>, term: &Term<'_>) {
        let _ = term;
        sql.push("NULL");
    }

    /// Writes the score in the list of a search's columns. `alone` says that neither a filter nor ids restrict the rows.
    ///
    /// # Errors
    /// As [`score`](Dialect::score).
    fn near_score(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery, alone: bool) -> Result<()> {
        let _ = alone;
        self.score(sql, term, near)
    }

    /// Writes what a search reads from, with the part's rows as `t`.
    ///
    /// # Errors
    /// As [`score`](Dialect::score).
    fn near_source(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery, alone: bool) -> Result<()> {
        let _ = (near, alone);
        sql.table(term.part).push(" t");
        Ok(())
    }

    /// Whether rows wanted by id come in any order: the driver sorts them, because an index that is not by id leaves few.
    fn leaves_ids_unsorted(&self) -> bool {
        false
    }

    /// Whether a select whose caller looks at the ids alone reads no versions, so that an index has all that it reads.
    fn leaves_out_versions(&self) -> bool {
        false
    }

    /// Writes the id as the last key of an order.
    ///
    /// # Errors
    /// None by default.
    fn order_by_id(&self, sql: &mut Sql<'_>, part: &Part) -> Result<()> {
        Term::id(part).write_order(sql)
    }

    /// Writes what a search is ordered by, before the id: the alias of the score unless an index wants a distance.
    ///
    /// # Errors
    /// None by default.
    fn near_order(&self, sql: &mut Sql<'_>, term: &Term<'_>, near: &NearQuery) -> Result<()> {
        let _ = (term, near);
        sql.push("\"_hb_score\" DESC");
        Ok(())
    }

    /// What ends the order of a search that an index answers, in the place of the id, by which no index can order. `None`
    /// where ties are broken by id.
    fn near_ends(&self, term: &Term<'_>, near: &NearQuery) -> Option<&'static str> {
        let _ = (term, near);
        None
    }

    /// Writes one key of an order, nulls last in both directions.
    ///
    /// # Errors
    /// None by default.
    fn order_key(&self, sql: &mut Sql<'_>, term: &Term<'_>, descending: bool) -> Result<()> {
        if term.nullable() {
            sql.push("CASE WHEN ");
            term.write(sql)?;
            sql.push(" IS NULL THEN 1 ELSE 0 END, ");
        }
        term.write_order(sql)?;
        sql.push(if descending { " DESC" } else { " ASC" });
        Ok(())
    }

    /// Writes how many rows, after how many, with a leading blank. Only called when there is something to write.
    fn limit(&self, sql: &mut Sql<'_>, limit: Option<usize>, offset: usize) {
        let whole = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        sql.push(" LIMIT ").bind(whole(limit.unwrap_or(usize::MAX)));
        if offset > 0 {
            sql.push(" OFFSET ").bind(whole(offset));
        }
    }

    /// Writes how many of the nearest, with a leading blank.
    fn near_limit(&self, sql: &mut Sql<'_>, k: usize, offset: usize) {
        self.limit(sql, Some(k), offset);
    }

    /// Writes how many rows of a select without an order, with a leading blank.
    fn limit_unordered(&self, sql: &mut Sql<'_>, limit: usize) {
        self.limit(sql, Some(limit), 0);
    }

    /// Whether an aggregation may group by a column or measure it so: what the table calls native by default.
    fn aggregates(&self, part: &Part, column: &Column, operation: Operation) -> bool {
        questions::support(part.kind, operation, column.logical.class(), column.placement) == Support::Native
    }

    /// Writes what rows are grouped by, and what the group is named by in its answer.
    ///
    /// # Errors
    /// As [`Term::write`].
    fn group_key(&self, sql: &mut Sql<'_>, term: &Term<'_>) -> Result<()> {
        term.write(sql)
    }

    /// Writes a measure of a group; `None` counts rows.
    ///
    /// # Errors
    /// None by default.
    fn measure(&self, sql: &mut Sql<'_>, function: AggregateFunction, term: Option<&Term<'_>>) -> Result<()> {
        let Some(term) = term else {
            sql.push("COUNT(*)");
            return Ok(());
        };
        sql.push(match function {
            AggregateFunction::Count => "COUNT(",
            AggregateFunction::CountDistinct => "COUNT(DISTINCT ",
            AggregateFunction::Sum => "SUM(",
            AggregateFunction::Avg => "AVG(",
            AggregateFunction::Min => "MIN(",
            AggregateFunction::Max => "MAX(",
        });
        term.write(sql)?;
        sql.push(")");
        Ok(())
    }

    /// The statement that writes whole rows where none is or an older one is. See `sql::write`
    /// for the default, `ON CONFLICT … DO UPDATE … WHERE`.
    ///
    /// # Errors
    /// None by default.
    fn upsert(&self, part: &Part, columns: &[usize], rows: usize) -> Result<String> {
        super::write::upsert_on_conflict(self.as_dialect(), part, columns, rows)
    }

    /// Indexes on columns: the statement, or `None` when this engine cannot index this group. See
    /// [`ddl::create_index`](super::ddl::create_index).
    fn index(&self, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
        Some(super::ddl::create_index(self.as_dialect(), part, columns, unique))
    }

    /// The dialect as an object.
    fn as_dialect(&self) -> &dyn Dialect;
}

/// Writes a name between quotes, the closing one doubled inside.
pub fn quote_with(open: char, close: char, name: &str, text: &mut String) {
    text.push(open);
    if !name.contains(close) {
        text.push_str(name);
        text.push(close);
        return;
    }
    for c in name.chars() {
        text.push(c);
        if c == close {
            text.push(close);
        }
    }
    text.push(close);
}

/// The error of a dialect that was asked for what it does not take.
pub fn unsupported(kind: &str, what: &str, term: &Term<'_>) -> Error {
    let field = term.column.map_or(crate::schema::ID_COLUMN, |column| column.name);
    Error::new(ErrorKind::Unsupported, format!("{kind} does not run {what} natively: write .scan() after the field")).at_field(field)
}
