//! Sub-queries as SQL, page by page along the order (keyset), and what a driver takes of them.

use super::{Comparison, Dialect, Sql, Statement, Term, filter};
use crate::driver::{NearQuery, OrderKey, Page, Position, Pushdown, SortKey, SubQuery, split_conjunction};
use crate::error::Result;
use crate::filter::Filter;
use crate::schema::Part;
use crate::types::Value;

/// What a dialect takes of a sub-query, with the text of what it takes.
pub fn plan(dialect: &dyn Dialect, part: &Part, wanted: &SubQuery) -> Pushdown {
    let taken = takes(dialect, part, wanted);
    let mut asked = SubQuery { filter: taken.taken.clone(), ..wanted.clone() };
    if !taken.order || !taken.near {
        asked.order.clear();
        asked.limit = None;
        asked.offset = 0;
        asked.near = None;
    }
    let text = select(dialect, part, &asked, asked.after.as_ref(), asked.limit, asked.offset);
    let text = text.map_or_else(|e| format!("not runnable: {e}"), |statement| statement.text);
    Pushdown { text, ..taken }
}

/// What a dialect takes of a sub-query, without a text.
pub fn takes(dialect: &dyn Dialect, part: &Part, wanted: &SubQuery) -> Pushdown {
    let takes = |f: &Filter| f.all_tests(|test| dialect.takes(part, test));
    let ranks = |near: &NearQuery| part.columns.get(near.column).is_some_and(|column| dialect.ranks(column));
    if takes(&wanted.filter) {
        let whole = wanted.near.as_ref().is_none_or(ranks);
        return Pushdown { order: whole, limit: whole, near: whole, ..Pushdown::everything(wanted, "") };
    }
    let (taken, remainder) = split_conjunction(&wanted.filter, &takes);
    Pushdown { taken, remainder, order: false, limit: false, near: false, text: String::new() }
}

/// The columns that a select returns after id and version: those asked for, then the order keys not among them,
/// which the next page's position needs.
pub fn selected_columns(query: &SubQuery) -> Vec<usize> {
    let mut columns = query.columns.clone();
    for key in &query.order {
        if let SortKey::Column(position) = key.key
            && !columns.contains(&position)
        {
            columns.push(position);
        }
    }
    columns
}

/// One page of a sub-query: key (what [`KeyKind::id`](crate::schema::KeyKind::id) makes the id of), version, [`selected_columns`], and the score of a search.
/// `after`, `limit` and `offset` are those of the page.
///
/// # Errors
/// As [`filter::write_filter`].
pub fn select(
    dialect: &dyn Dialect,
    part: &Part,
    query: &SubQuery,
    after: Option<&Position>,
    limit: Option<usize>,
    offset: usize,
) -> Result<Statement> {
    let mut sql = Sql::new(dialect);
    let columns = selected_columns(query);
    row_head(&mut sql, part, &columns, version_of(dialect, part, query, &columns))?;
    let vector = query.near.as_ref().map(|near| Term::column(part, near.column).map(|term| (term, near))).transpose()?;
    let alone = query.ids.is_none() && query.filter.is_all();
    if let Some((term, near)) = &vector {
        sql.push(", ");
        dialect.near_score(&mut sql, term, near, alone)?;
        sql.push(" AS ").name("_hb_score").push(" FROM ");
        dialect.near_source(&mut sql, term, near, alone)?;
    } else {
        sql.push(" FROM ").table(part).push(" t");
    }
    let mut conditions = Conditions::default();
    if let Some(ids) = &query.ids {
        conditions.begin(&mut sql);
        dialect.id_is_one_of(&mut sql, part, ids)?;
    }
    if let Some((term, _)) = &vector
        && term.nullable()
        && !term.column.is_some_and(|column| dialect.lies_apart(part, column))
    {
        conditions.begin(&mut sql);
        term.write_column(&mut sql);
        sql.push(" IS NOT NULL");
    }
    if !query.filter.is_all() {
        conditions.begin(&mut sql);
        let beside = query.ids.as_ref().map_or("", |_| dialect.beside_ids());
        sql.push(beside).push("(");
        filter::write_filter(&mut sql, part, &query.filter)?;
        sql.push(")");
    }
    if let Some(position) = after {
        conditions.begin(&mut sql);
        write_after(&mut sql, part, &query.order, position)?;
    }
    if !(dialect.leaves_ids_unsorted() && query.order.is_empty() && query.near.is_none()) {
        order_by(&mut sql, part, query, vector.as_ref().map(|(term, near)| (term, *near)))?;
    }
    match &query.near {
        Some(near) => dialect.near_limit(&mut sql, near.k.min(limit.unwrap_or(usize::MAX)), offset),
        None if limit.is_some() || offset > 0 => dialect.limit(&mut sql, limit, offset),
        None => {}
    }
    Ok(sql.finish())
}

fn order_by(sql: &mut Sql<'_>, part: &Part, query: &SubQuery, near: Option<(&Term<'_>, &NearQuery)>) -> Result<()> {
    let dialect = sql.dialect();
    sql.push(" ORDER BY ");
    // Whether nothing is left to order by.
    let mut by_id = false;
    if let Some((term, near)) = near {
        dialect.near_order(sql, term, near)?;
        let ends = dialect.near_ends(term, near);
        by_id = ends.is_some();
        sql.push(ends.unwrap_or(", "));
    }
    for key in &query.order {
        // Nothing is left to order after the id.
        if by_id {
            break;
        }
        by_id = key.key == SortKey::Id;
        dialect.order_key(sql, &key_term(part, key)?, key.descending)?;
        if !by_id {
            sql.push(", ");
        }
    }
    if by_id { Ok(()) } else { dialect.order_by_id(sql, part) }
}

/// Where a page of [`selected_columns`] ends; `None` for an empty one.
pub fn end_of(query: &SubQuery, columns: &[usize], page: &Page) -> Option<Position> {
    let last = page.len().checked_sub(1)?;
    let row = page.row(last);
    let key = |key: SortKey| match key {
        SortKey::Id => Value::Text(page.ids[last].as_str().to_owned()),
        SortKey::Column(column) => columns.iter().position(|c| *c == column).map_or(Value::Null, |i| row[i].clone()),
    };
    Some(Position { keys: query.order.iter().map(|order| key(order.key)).collect(), id: page.ids[last].clone() })
}

/// The page with its first columns alone: without those that were read for [`end_of`].
pub fn trimmed(mut page: Page, width: usize) -> Page {
    if page.width <= width {
        return page;
    }
    let mut values = Vec::with_capacity(page.len() * width);
    for row in page.values.chunks_exact_mut(page.width) {
        values.extend(row[..width].iter_mut().map(Value::take));
    }
    page.width = width;
    page.values = values;
    page
}

/// Rows by id, in no order: key, version, columns.
///
/// # Errors
/// As [`Dialect::id_is_one_of`].
pub fn fetch(dialect: &dyn Dialect, part: &Part, ids: &[crate::types::Id], columns: &[usize]) -> Result<Statement> {
    let mut sql = Sql::new(dialect);
    row_head(&mut sql, part, columns, part.version())?;
    sql.push(" FROM ").table(part).push(" t WHERE ");
    dialect.id_is_one_of(&mut sql, part, ids)?;
    Ok(sql.finish())
}

/// One row by its key, which is the one value to bind: key, version, columns.
///
/// # Errors
/// None for positions within the part.
pub fn fetch_one(dialect: &dyn Dialect, part: &Part, columns: &[usize]) -> Result<String> {
    let query = SubQuery { columns: columns.to_vec(), ..SubQuery::default() };
    look_up(dialect, part, &query).map(|statement| statement.text)
}

/// One row by its key, the first value to bind, if it satisfies a query's filter: key, version, columns.
///
/// # Errors
/// As [`filter::write_filter`].
pub fn look_up(dialect: &dyn Dialect, part: &Part, query: &SubQuery) -> Result<Statement> {
    let mut sql = Sql::new(dialect);
    row_head(&mut sql, part, &query.columns, version_of(dialect, part, query, &query.columns))?;
    sql.push(" FROM ").table(part).push(" t WHERE ");
    Term::key(part).write_column(&mut sql);
    sql.push(" = ").bind(super::write::any_key(part));
    if !query.filter.is_all() {
        sql.push(" AND (");
        filter::write_filter(&mut sql, part, &query.filter)?;
        sql.push(")");
    }
    Ok(sql.finish())
}

/// The column of the versions, if they are read.
fn version_of(dialect: &dyn Dialect, part: &Part, query: &SubQuery, columns: &[usize]) -> Option<&'static str> {
    let ids_alone = query.ids_only && columns.is_empty();
    part.version().filter(|_| !(ids_alone && dialect.leaves_out_versions()))
}

fn row_head(sql: &mut Sql<'_>, part: &Part, columns: &[usize], version: Option<&str>) -> Result<()> {
    sql.push("SELECT ");
    Term::key(part).write_column(sql);
    match version {
        Some(version) => sql.push(", t.").name(version),
        None => sql.push(", 0"),
    };
    for &position in columns {
        sql.push(", ");
        Term::column(part, position)?.write_column(sql);
    }
    Ok(())
}

/// `WHERE` before the first condition, `AND` before the others.
#[derive(Default)]
pub(super) struct Conditions(bool);

impl Conditions {
    pub(super) fn begin(&mut self, sql: &mut Sql<'_>) {
        sql.push(if std::mem::replace(&mut self.0, true) { " AND " } else { " WHERE " });
    }
}

fn key_term<'a>(part: &'a Part, key: &OrderKey) -> Result<Term<'a>> {
    match key.key {
        SortKey::Column(position) => Term::column(part, position),
        SortKey::Id => Ok(Term::id(part)),
    }
}

/// Rows after a position: `(a after x) OR (a same as x AND ((b after y) OR (b same as y AND id > z)))`, nulls last. The
/// bound on the first key stands in front of it once more, alone, so that an index can seek to it.
fn write_after(sql: &mut Sql<'_>, part: &Part, order: &[OrderKey], position: &Position) -> Result<()> {
    let id = Value::Text(position.id.as_str().to_owned());
    let keys: Vec<(OrderKey, &Value)> = order.iter().copied().zip(&position.keys).collect();
    if let Some((first, value)) = keys.first()
        && first.key != SortKey::Id
        && !value.is_null()
    {
        let term = key_term(part, first)?;
        if !term.nullable() {
            let how = if first.descending { Comparison::Le } else { Comparison::Ge };
            filter::compare(sql, &term, how, value)?;
            sql.push(" AND ");
        }
    }
    let mut open = 0;
    for (key, value) in &keys {
        let term = key_term(part, key)?;
        let how = if key.descending { Comparison::Lt } else { Comparison::Gt };
        if key.key == SortKey::Id {
            filter::compare(sql, &term, how, value)?;
            return close(sql, open);
        }
        sql.push("(");
        open += 1;
        if value.is_null() {
            // Nulls are last: only rows with null there come later, by the keys that follow.
            term.write_column(sql);
            sql.push(" IS NULL AND ");
            continue;
        }
        filter::compare(sql, &term, how, value)?;
        if term.nullable() {
            sql.push(" OR ");
            term.write_column(sql);
            sql.push(" IS NULL");
        }
        sql.push(" OR (");
        open += 1;
        filter::compare(sql, &term, Comparison::Eq, value)?;
        sql.push(" AND ");
    }
    filter::compare(sql, &Term::id(part), Comparison::Gt, &id)?;
    close(sql, open)
}

fn close(sql: &mut Sql<'_>, open: usize) -> Result<()> {
    for _ in 0..open {
        sql.push(")");
    }
    Ok(())
}

/// All ids, in no order.
pub fn fetch_ids(dialect: &dyn Dialect, part: &Part) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ");
    Term::id(part).write_column(&mut sql);
    sql.push(" FROM ").table(part).push(" t");
    sql.finish().text
}
