//! Rows by id that satisfy a filter, each looked up by itself.
//!
//! One statement for all ids, as a JSON array, has SQLite parse the array and sort it into a table of its own first: for
//! ten ids that takes three times as long, for a thousand half as long again (`docs/decisions/0012-sqlite.md`).

use std::sync::Arc;

use rusqlite::Connection;

use super::connection::{Pool, Transaction};
use super::dialect::SQL;
use super::{codec, failure, read};
use crate::backends::sql::{Statement, select};
use crate::capability::Placement;
use crate::driver::{Page, PageStream, Reply, SubQuery};
use crate::error::Result;
use crate::filter::{Condition, Target, Test};
use crate::schema::{ID_COLUMN, Part};
use crate::types::LogicalType;

/// Most members of a list that a row is compared with: SQLite makes a table of them anew for each id.
const FEW_MEMBERS: usize = 4;

/// Look-ups of some ids, a page after the other.
pub(super) struct LookUps {
    pool: Arc<Pool>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    statement: Statement,
    /// The next id.
    at: usize,
    offset: usize,
    left: usize,
}

/// Whether a sub-query wants rows by id, in the order of the ids, of which each is told from its own row: a filter that
/// looks into an index of words or compiles a pattern would do so once an id.
pub(super) fn suits(part: &Part, query: &SubQuery) -> bool {
    let plain = || query.filter.all_tests(|test| is_plain(part, test));
    query.ids.is_some() && query.near.is_none() && query.order.is_empty() && !query.filter.is_none() && !part.is_mapped() && plain()
}

fn is_plain(part: &Part, test: &Test) -> bool {
    let compares = match &test.condition {
        Condition::In(members) | Condition::NotIn(members) => members.len() <= FEW_MEMBERS,
        Condition::Eq(_) | Condition::Ne(_) | Condition::IsNull | Condition::IsSome | Condition::Between(..) => true,
        Condition::Lt(_) | Condition::Le(_) | Condition::Gt(_) | Condition::Ge(_) => true,
        _ => false,
    };
    let column = part.column(&test.field).map(|(_, column)| column);
    let inline = column.is_some_and(|column| {
        column.placement == Placement::InlineColumn
            && !matches!(column.logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_))
    });
    compares && test.target == Target::Value && (inline || test.field == ID_COLUMN)
}

impl LookUps {
    pub(super) fn new(pool: Arc<Pool>, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Self> {
        let statement = select::look_up(&SQL, &part, &query)?;
        let at = match (query.ids.as_deref(), &query.after) {
            (Some(ids), Some(after)) => ids.partition_point(|id| *id <= after.id),
            _ => 0,
        };
        let (offset, left) = (query.offset, query.limit.unwrap_or(usize::MAX));
        Ok(LookUps { pool, part, query, statement, at, offset, left })
    }

    fn page(&mut self) -> Result<Option<Page>> {
        let pool = self.pool.clone();
        let page = pool.read(|connection| self.read(connection))?;
        Ok((!page.is_empty()).then_some(page))
    }

    fn read(&mut self, connection: &Connection) -> Result<Page> {
        let (part, query) = (&self.part, &self.query);
        let mut page = Page::new(query.columns.len());
        let ids = query.ids.as_deref().unwrap_or_default();
        let wanted = self.left.min(query.page_rows.max(1));
        if self.at >= ids.len() || wanted == 0 {
            return Ok(page);
        }
        let mut statement = connection.prepare_cached(&self.statement.text).map_err(failure::error)?;
        for (i, value) in self.statement.values.iter().enumerate().skip(1) {
            statement.raw_bind_parameter(i + 1, codec::to_sql(value)).map_err(failure::error)?;
        }
        // One state of the database for all, and one lock of the file.
        let transaction = if ids.len() - self.at > 1 { Some(Transaction::read(connection)?) } else { None };
        while page.len() < wanted
            && let Some(id) = ids.get(self.at)
        {
            let again = self.at > 0 && ids[self.at - 1] == *id;
            self.at += 1;
            if again {
                continue;
            }
            statement.raw_bind_parameter(1, id.as_str()).map_err(failure::error)?;
            let mut rows = statement.raw_query();
            let Some(row) = rows.next().map_err(failure::error)? else { continue };
            if self.offset > 0 {
                self.offset -= 1;
                continue;
            }
            read::push_known(&mut page, id.clone(), row, part, &query.columns)?;
        }
        drop(statement);
        if let Some(transaction) = transaction {
            transaction.commit()?;
        }
        if self.left != usize::MAX {
            self.left -= page.len();
        }
        Ok(page)
    }
}

impl PageStream for LookUps {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::ready(self.page())
    }
}
