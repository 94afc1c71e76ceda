//! The pool, and statements run on it: reads, with another connection where one was lost.

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{MySql, MySqlPool};

use super::dialect::MySqlDialect;
use super::{codec, failure};
use crate::backends::network::failure::Phase;
use crate::backends::network::{Reader, audited};
use crate::backends::sql::{Dialect, Statement, aggregate, select};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, SubQuery, sum_overflow};
use crate::error::Result;
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// Most attempts of one operation.
const ATTEMPTS: u32 = 12;

/// What the driver and its page streams share.
pub(super) struct Core {
    pub(super) pool: MySqlPool,
    pub(super) dialect: MySqlDialect,
    /// Most bytes of a statement with its values: the server's `max_allowed_packet`.
    pub(super) packet: usize,
}

/// A statement ready to run.
pub(super) fn query(text: &str, values: &[Value], persistent: bool) -> Result<sqlx::query::Query<'static, MySql, MySqlArguments>> {
    Ok(sqlx::query_with(audited(text.to_owned()), codec::arguments(values)?).persistent(persistent))
}

/// Runs a statement on one connection, in the course of a write.
pub(super) async fn run(connection: &mut MySqlConnection, statement: &Statement) -> Result<Vec<MySqlRow>> {
    // Each is run rarely, and tables change under them.
    let statement = query(&statement.text, &statement.values, false)?;
    statement.fetch_all(connection).await.map_err(|cause| failure::error(cause, Phase::Write))
}

/// Runs a statement that changes rows.
pub(super) async fn execute(connection: &mut MySqlConnection, statement: &Statement) -> Result<MySqlQueryResult> {
    let statement = query(&statement.text, &statement.values, false)?;
    statement.execute(connection).await.map_err(|cause| failure::error(cause, Phase::Write))
}

/// Runs a statement without values that not every server prepares.
pub(super) async fn define(connection: &mut MySqlConnection, statement: Statement) -> Result<()> {
    let done = sqlx::raw_sql(audited(statement.text)).execute(connection).await;
    done.map(drop).map_err(|cause| failure::error(cause, Phase::Write))
}

impl Core {
    /// How often an operation that found its connection dead is tried: each may meet another dead one in the pool.
    pub(super) fn attempts(&self) -> u32 {
        (self.pool.size() + 2).min(ATTEMPTS)
    }

    /// Runs a statement that only reads.
    pub(super) async fn rows(&self, text: &str, values: &[Value]) -> Result<Vec<MySqlRow>> {
        // The pool shrinks with every lost session that it hands out: what it had at first bounds the attempts.
        let most = self.attempts();
        let mut attempt = 1;
        let mut persistent = true;
        loop {
            match query(text, values, persistent)?.fetch_all(&self.pool).await {
                Ok(rows) => return Ok(rows),
                Err(cause) if failure::is_lost(&cause) && attempt < most => attempt += 1,
                Err(cause) if persistent && failure::is_stale_plan(&cause) => persistent = false,
                Err(cause) => return Err(failure::error(cause, Phase::Read)),
            }
        }
    }

    /// Runs a select of rows.
    pub(super) async fn page(&self, part: &Part, text: &str, values: &[Value], columns: &[usize], scored: bool) -> Result<Page> {
        let rows = self.rows(text, values).await?;
        let mut page = Page::new(columns.len());
        page.ids.reserve(rows.len());
        page.versions.reserve(rows.len());
        page.values.reserve(rows.len() * columns.len());
        for row in &rows {
            page.ids.push(codec::read_id(row, 0, part)?);
            page.versions.push(codec::read_whole(row, 1)?);
            for (i, &position) in columns.iter().enumerate() {
                let column = &part.columns[position];
                let value = codec::read(row, i + 2, &column.logical, part.is_mapped());
                page.values.push(value.map_err(|e| e.of_entity(part.entity.name).at_field(column.name))?);
            }
            if scored {
                page.scores.push(codec::read_float(row, columns.len() + 2)?);
            }
        }
        Ok(page)
    }

    /// The one number that a statement gives.
    pub(super) async fn count(&self, statement: &Statement) -> Result<u64> {
        let rows = self.rows(&statement.text, &statement.values).await?;
        let count = rows.first().map_or(Ok(0), |row| codec::read_whole(row, 0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Runs an aggregation.
    pub(super) async fn groups(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let statement = aggregate::aggregate(&self.dialect, part, query)?;
        let rows = self.rows(&statement.text, &statement.values).await?;
        let mapped = part.is_mapped();
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut group = Group { keys: Vec::with_capacity(query.keys.len()), measures: Vec::with_capacity(query.measures.len()) };
            for (i, &key) in query.keys.iter().enumerate() {
                group.keys.push(codec::read(row, i, &part.columns[key].logical, mapped)?);
            }
            for (i, measure) in query.measures.iter().enumerate() {
                let at = query.keys.len() + i;
                let logical = measure.column.map_or(LogicalType::INT, |column| part.columns[column].logical);
                let value = match measure.function {
                    AggregateFunction::Count | AggregateFunction::CountDistinct => Value::Int(codec::read_whole(row, at)?),
                    AggregateFunction::Avg => codec::read(row, at, &LogicalType::Float, false)?,
                    AggregateFunction::Sum if !matches!(logical, LogicalType::Float) => {
                        sum(codec::read(row, at, &LogicalType::TEXT, false)?, &logical)?
                    }
                    _ => codec::read(row, at, &logical, mapped)?,
                };
                match value {
                    Value::Float(number) if !number.is_finite() => return Err(sum_overflow()),
                    value => group.measures.push(value),
                }
            }
            groups.push(group);
        }
        Ok(groups)
    }

    async fn hits(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let statement = select::select(&self.dialect, part, query, None, query.limit, 0)?;
        self.page(part, &statement.text, &statement.values, &select::selected_columns(query), true).await
    }
}

/// A sum that came as text, of any length.
fn sum(text: Value, logical: &LogicalType) -> Result<Value> {
    let Value::Text(text) = text else { return Ok(Value::Null) };
    if matches!(logical, LogicalType::Decimal { .. }) {
        return codec::decimal(&text).map(Value::Decimal).ok_or_else(sum_overflow);
    }
    text.parse().map(Value::Int).map_err(|_| sum_overflow())
}

impl Reader for Core {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    async fn read(&self, part: &Part, statement: Statement, columns: &[usize], scored: bool) -> Result<Page> {
        self.page(part, &statement.text, &statement.values, columns, scored).await
    }

    async fn search(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let Some(near) = &query.near else { return Ok(Page::new(query.columns.len())) };
        let indexed = self.dialect.vectors.zip(part.columns.get(near.column)).is_some_and(|(vectors, column)| vectors.is_indexed(column));
        // Few candidates are ranked sooner than an index is walked until enough of them are met.
        let mut exact = near.exact || !indexed || query.ids.is_some();
        loop {
            let mut asked = query.clone();
            if let Some(near) = &mut asked.near {
                near.exact = exact;
            }
            let page = self.hits(part, &asked).await?;
            // An index that gave up before it found enough rows may have missed some that match.
            if exact || page.len() >= near.k.min(query.limit.unwrap_or(usize::MAX)) {
                return Ok(page.ranked());
            }
            exact = true;
        }
    }
}
