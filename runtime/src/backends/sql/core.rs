//! Statements run where connections come from: reads, with another connection where one was lost, and answers as pages and
//! groups. For drivers over [`Session`](super::session::Session)s.

use std::sync::Arc;

use super::forms::corrupt;
use super::pages::Reader;
use super::session::{Answer, Phase, Sessions};
use super::{Dialect, Statement, aggregate, select};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, SubQuery, sum_overflow};
#[cfg(any(feature = "mssql", feature = "oracle"))]
use crate::driver::{RawAnswer, RawColumns};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::Part;
use crate::types::{Decimal, Duration, Id, LogicalType, Value};

/// Most attempts of one read.
const ATTEMPTS: u32 = 12;

/// How a driver's values lie.
pub(crate) trait Lies: Dialect {
    /// A stored value of a part as one of a type.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for what is none of the type.
    fn read(&self, part: &Part, logical: &LogicalType, stored: Value) -> Result<Value>;

    /// A cell that no part's column gave (a version, a score, a measure) as a value of a type, where the protocol gives text alone.
    ///
    /// # Errors
    /// As [`read`](Lies::read).
    fn typed(&self, logical: &LogicalType, cell: Value) -> Result<Value> {
        let _ = logical;
        Ok(cell)
    }

    /// What a group is named by, as a value of the column's type.
    ///
    /// # Errors
    /// As [`read`](Lies::read).
    fn read_key(&self, part: &Part, logical: &LogicalType, stored: Value) -> Result<Value> {
        self.read(part, logical, stored)
    }
}

/// What a driver and its page streams share.
pub(crate) struct Core<D> {
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) dialect: D,
}

/// Whether the same may work now: the connection was lost, or another session stood in the way.
fn is_passing(error: &Error) -> bool {
    error.status() == Status::Temporary
        && matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
        && error.detail("cause").is_none_or(|cause| cause != "connection refused")
}

/// A whole number.
pub(crate) fn whole(stored: Option<&Value>) -> Result<i64> {
    match stored {
        Some(Value::Int(n)) => Ok(*n),
        _ => Err(corrupt()),
    }
}

impl<D: Lies> Core<D> {
    /// Runs a statement that only reads.
    pub(crate) async fn read_rows(&self, statement: &Statement) -> Result<Answer> {
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
    pub(crate) async fn count(&self, statement: &Statement) -> Result<u64> {
        let answer = self.read_rows(statement).await?;
        let cell = answer.rows.into_iter().flatten().next().unwrap_or_default();
        let number = whole(Some(&self.dialect.typed(&LogicalType::INT, cell)?))?;
        u64::try_from(number).map_err(|_| corrupt())
    }

    /// A key as an id.
    pub(crate) fn id(&self, part: &Part, stored: Value) -> Result<Id> {
        let kind = part.key().kind;
        kind.id(self.dialect.read(part, &kind.logical(), stored)?).ok_or_else(|| corrupt().at_field(crate::schema::ID_COLUMN))
    }

    /// The rows of a select: key, version, columns, and a score when `scored`.
    pub(crate) async fn page(&self, part: &Part, statement: &Statement, columns: &[usize], scored: bool) -> Result<Page> {
        let answer = self.read_rows(statement).await?;
        let mut page = Page::new(columns.len());
        for row in answer.rows {
            if row.len() != columns.len() + 2 + usize::from(scored) {
                return Err(corrupt());
            }
            let mut stored = row.into_iter();
            let id = self.id(part, stored.next().unwrap_or_default())?;
            let version = whole(Some(&self.dialect.typed(&LogicalType::INT, stored.next().unwrap_or_default())?))?;
            for &position in columns {
                let column = part.columns.get(position).ok_or_else(corrupt)?;
                let value = stored.next().unwrap_or_default();
                let value = self.dialect.read(part, &column.logical, value).map_err(|e| e.at_field(column.name))?;
                if value.is_null() && !column.nullable {
                    let why = "a null in a column whose field is not optional";
                    return Err(Error::new(ErrorKind::Corrupt, why).at_field(column.name));
                }
                page.values.push(value);
            }
            if scored {
                match self.dialect.typed(&LogicalType::Float, stored.next().unwrap_or_default())? {
                    Value::Float(score) => page.scores.push(score + 0.0),
                    _ => return Err(corrupt()),
                }
            }
            page.ids.push(id);
            page.versions.push(version);
        }
        Ok(page)
    }

    /// Runs an aggregation.
    pub(crate) async fn groups(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
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
                group.keys.push(self.dialect.read_key(part, &logical, stored.next().unwrap_or_default())?);
            }
            for measure in &query.measures {
                let column = measure.column.and_then(|column| part.columns.get(column));
                let logical = column.map_or(LogicalType::INT, |column| column.logical);
                group.measures.push(self.measured(part, measure.function, &logical, stored.next().unwrap_or_default())?);
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn measured(&self, part: &Part, function: AggregateFunction, logical: &LogicalType, stored: Value) -> Result<Value> {
        let stored = match function {
            AggregateFunction::Min | AggregateFunction::Max => stored,
            AggregateFunction::Count | AggregateFunction::CountDistinct => self.dialect.typed(&LogicalType::INT, stored)?,
            AggregateFunction::Avg => self.dialect.typed(&LogicalType::Float, stored)?,
            AggregateFunction::Sum if *logical == LogicalType::Float => self.dialect.typed(&LogicalType::Float, stored)?,
            AggregateFunction::Sum => self.dialect.typed(&LogicalType::DECIMAL, stored)?,
        };
        match (function, stored) {
            (AggregateFunction::Count | AggregateFunction::CountDistinct, stored) => whole(Some(&stored)).map(Value::Int),
            (_, Value::Null) => Ok(Value::Null),
            (AggregateFunction::Sum, stored) => sum(logical, stored),
            (AggregateFunction::Avg, Value::Float(mean)) if mean.is_finite() => Ok(Value::Float(mean)),
            (AggregateFunction::Avg, Value::Float(_)) => Err(sum_overflow()),
            (AggregateFunction::Avg, _) => Err(corrupt()),
            (_, stored) => self.dialect.read(part, logical, stored),
        }
    }
}

/// A sum: whole numbers and decimals come as numbers of up to 38 digits, as text where ours have no room for them.
fn sum(logical: &LogicalType, stored: Value) -> Result<Value> {
    let whole = |number: Decimal| i64::try_from(number).map_err(|_| sum_overflow());
    match (logical, stored) {
        (LogicalType::Int { .. }, Value::Int(number)) => Ok(Value::Int(number)),
        (LogicalType::Int { .. }, Value::Decimal(number)) => whole(number).map(Value::Int),
        (LogicalType::Duration, Value::Int(number)) => Ok(Value::Duration(Duration::from_micros(number))),
        (LogicalType::Duration, Value::Decimal(number)) => Ok(Value::Duration(Duration::from_micros(whole(number)?))),
        (LogicalType::Decimal { .. }, Value::Int(number)) => Ok(Value::Decimal(Decimal::from(number))),
        (LogicalType::Decimal { .. }, Value::Decimal(number)) => Ok(Value::Decimal(number)),
        (LogicalType::Float, Value::Float(number)) if number.is_finite() => Ok(Value::Float(number)),
        (LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Decimal { .. }, Value::Text(_))
        | (LogicalType::Float, Value::Float(_)) => Err(sum_overflow()),
        _ => Err(corrupt()),
    }
}

/// The rows of an application's own statement as it wants them, each value read by `read`.
///
/// # Errors
/// As [`RawAnswer::mismatch`].
#[cfg(any(feature = "mssql", feature = "oracle"))]
pub(crate) fn raw_answer(
    wanted: &RawColumns,
    names: &[String],
    rows: Vec<Vec<Value>>,
    read: impl Fn(&LogicalType, Value) -> Result<Value>,
) -> Result<RawAnswer> {
    let columns = wanted.of(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let mut found = RawAnswer { names: columns.iter().map(|(at, _)| names[*at].clone()).collect(), ..RawAnswer::default() };
    for mut stored in rows {
        let mut values = Vec::with_capacity(columns.len());
        for (at, column) in &columns {
            let stored = stored.get_mut(*at).map(Value::take).unwrap_or_default();
            let family = stored.family();
            let value = read(&column.logical, stored).map_err(|_| RawAnswer::mismatch(&names[*at], family, &column.logical))?;
            RawAnswer::push(&mut values, &names[*at], column, value)?;
        }
        found.rows.push(values);
    }
    Ok(found)
}

impl<D: Lies> Reader for Core<D> {
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
