//! Statements run where connections come from: reads, with another connection where one was lost.

use std::sync::Arc;

use super::codec;
use super::dialect::MssqlDialect;
use crate::backends::network::Reader;
use crate::backends::sql::forms::corrupt;
use crate::backends::sql::session::{Answer, Phase, Sessions};
use crate::backends::sql::{Dialect, Statement, aggregate, select};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, SubQuery, sum_overflow};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::Part;
use crate::types::{Decimal, LogicalType, Uuid, Value};

/// Most attempts of one read.
const ATTEMPTS: u32 = 12;

/// What the driver and its page streams share.
pub(super) struct Core {
    pub(super) sessions: Arc<dyn Sessions>,
    pub(super) dialect: MssqlDialect,
}

/// Whether the same may work now: the connection was lost, or another session stood in the way.
fn is_passing(error: &Error) -> bool {
    error.status() == Status::Temporary && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict) && error.detail("cause").is_none_or(|cause| cause != "connection refused")
}

impl Core {
    /// Runs a statement that only reads.
    pub(super) async fn read_rows(&self, statement: &Statement) -> Result<Answer> {
        let mut attempt = 1;
        loop {
            let mut session = self.sessions.session(Phase::Read).await?;
            match session.run(statement, Phase::Read).await {
                Err(error) if attempt < ATTEMPTS && is_passing(&error) => attempt += 1,
                other => return other,
            }
        }
    }

    /// One number.
    pub(super) async fn count(&self, statement: &Statement) -> Result<u64> {
        let answer = self.read_rows(statement).await?;
        let number = codec::whole(answer.rows.first().and_then(|row| row.first()))?;
        u64::try_from(number).map_err(|_| corrupt())
    }

    /// The rows of a select: key, version, columns, and a score when `scored`.
    pub(super) async fn page(&self, part: &Part, statement: &Statement, columns: &[usize], scored: bool) -> Result<Page> {
        let answer = self.read_rows(statement).await?;
        let mut page = Page::new(columns.len());
        for row in answer.rows {
            if row.len() != columns.len() + 2 + usize::from(scored) {
                return Err(corrupt());
            }
            let mut stored = row.into_iter();
            let id = codec::id(part, stored.next().unwrap_or_default())?;
            let version = codec::whole(stored.next().as_ref())?;
            for &position in columns {
                let column = part.columns.get(position).ok_or_else(corrupt)?;
                let value = codec::read(&column.logical, stored.next().unwrap_or_default()).map_err(|e| e.at_field(column.name))?;
                if value.is_null() && !column.nullable {
                    let why = "a null in a column whose field is not optional";
                    return Err(Error::new(ErrorKind::Corrupt, why).at_field(column.name));
                }
                page.values.push(value);
            }
            if scored {
                match stored.next() {
                    Some(Value::Float(score)) => page.scores.push(score + 0.0),
                    _ => return Err(corrupt()),
                }
            }
            page.ids.push(id);
            page.versions.push(version);
        }
        Ok(page)
    }

    /// Runs an aggregation.
    pub(super) async fn groups(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let statement = aggregate::aggregate(&self.dialect, part, query)?;
        let answer = self.read_rows(&statement).await?;
        let width = query.keys.len() + query.measures.len();
        let mut groups = Vec::with_capacity(answer.rows.len());
        for row in answer.rows {
            if row.len() < width {
                return Err(corrupt());
            }
            let mut stored = row.into_iter();
            let mut group = Group { keys: Vec::with_capacity(query.keys.len()), measures: Vec::with_capacity(query.measures.len()) };
            for &key in &query.keys {
                let logical = part.columns.get(key).ok_or_else(corrupt)?.logical;
                group.keys.push(codec::read(&logical, ended(&logical, stored.next().unwrap_or_default())?)?);
            }
            for measure in &query.measures {
                let logical = measure.column.and_then(|column| part.columns.get(column)).map_or(LogicalType::INT, |column| column.logical);
                group.measures.push(measured(measure.function, &logical, stored.next().unwrap_or_default())?);
            }
            groups.push(group);
        }
        Ok(groups)
    }
}

/// A text without the byte that stands behind it in a group's key.
fn ended(logical: &LogicalType, stored: Value) -> Result<Value> {
    match (logical, stored) {
        (LogicalType::Text { .. }, Value::Bytes(bytes)) => match bytes.split_last() {
            Some((1, text)) => Ok(Value::Bytes(text.into())),
            _ => Err(corrupt()),
        },
        (_, stored) => Ok(stored),
    }
}

fn measured(function: AggregateFunction, logical: &LogicalType, stored: Value) -> Result<Value> {
    match (function, stored) {
        (AggregateFunction::Count | AggregateFunction::CountDistinct, stored) => codec::whole(Some(&stored)).map(Value::Int),
        (_, Value::Null) => Ok(Value::Null),
        (AggregateFunction::Sum, stored) => sum(logical, stored),
        (AggregateFunction::Avg, Value::Float(mean)) => Ok(Value::Float(mean)),
        (AggregateFunction::Avg, _) => Err(corrupt()),
        (_, stored) => match (logical, stored) {
            // A UUID of the server's own type comes as its text.
            (LogicalType::Uuid, Value::Bytes(text)) if text.len() == 36 => {
                std::str::from_utf8(&text).ok().and_then(|text| Uuid::parse_str(text).ok()).map(Value::Uuid).ok_or_else(corrupt)
            }
            (logical, stored) => codec::read(logical, stored),
        },
    }
}

/// A sum: whole numbers and decimals come as decimals of up to 38 digits.
fn sum(logical: &LogicalType, stored: Value) -> Result<Value> {
    let whole = |number: Decimal| i64::try_from(number).map_err(|_| sum_overflow());
    match (logical, stored) {
        (LogicalType::Int { .. }, Value::Decimal(number)) => whole(number).map(Value::Int),
        (LogicalType::Duration, Value::Decimal(number)) => Ok(Value::Duration(crate::types::Duration::from_micros(whole(number)?))),
        (LogicalType::Decimal { .. }, Value::Decimal(number)) => Ok(Value::Decimal(number)),
        (LogicalType::Float, Value::Float(number)) if number.is_finite() => Ok(Value::Float(number)),
        // More digits than a decimal of ours has.
        (LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Decimal { .. }, Value::Text(_)) | (LogicalType::Float, Value::Float(_)) => {
            Err(sum_overflow())
        }
        _ => Err(corrupt()),
    }
}

impl Reader for Core {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    async fn read(&self, part: &Part, statement: Statement, columns: &[usize], scored: bool) -> Result<Page> {
        self.page(part, &statement, columns, scored).await
    }

    async fn search(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let statement = select::select(&self.dialect, part, query, None, query.limit, 0)?;
        Ok(self.page(part, &statement, &select::selected_columns(query), true).await?.ranked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_the_byte_behind_them() {
        assert_eq!(ended(&LogicalType::TEXT, Value::Bytes(Box::from(*b"a \x01"))).ok(), Some(Value::Bytes(Box::from(*b"a "))));
    }
}
