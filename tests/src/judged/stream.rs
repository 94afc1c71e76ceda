//! Pages from memory, each asked for on paper too: from its position on, as a driver asks that holds no cursor.

use std::sync::Arc;

use heavenbase::Result;
use heavenbase::driver::{Driver, Page, PageStream, Position, Reply, SortKey, SubQuery};
use heavenbase::schema::Part;
use heavenbase::types::Value;

use super::{ALL, Sheet, about};

/// Starts a sub-query in memory and on paper.
pub(super) fn open(memory: &dyn Driver, sheet: Arc<Sheet>, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
    // The order keys are read too: the next page's position is made of them.
    let mut wide = (*query).clone();
    for key in &query.order {
        if let SortKey::Column(column) = key.key
            && !wide.columns.contains(&column)
        {
            wide.columns.push(column);
        }
    }
    let pages = memory.open(part.clone(), Arc::new(wide.clone()))?;
    Ok(Box::new(Pages { pages, sheet, part, query, columns: wide.columns, after: None, first: true }))
}

struct Pages {
    pages: Box<dyn PageStream>,
    sheet: Arc<Sheet>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    columns: Vec<usize>,
    /// Where the last page ended.
    after: Option<Position>,
    first: bool,
}

impl Pages {
    async fn advance(&mut self) -> Result<Option<Page>> {
        let first = std::mem::take(&mut self.first);
        // A search is one statement, and so is what ended.
        if first || self.after.is_some() {
            let mut asked = (*self.query).clone();
            if let Some(after) = self.after.take() {
                asked = SubQuery { after: Some(after), offset: 0, ..asked };
            }
            self.ask(asked).await;
        }
        let Some(page) = self.pages.next_page().await? else { return Ok(None) };
        if self.query.near.is_none() {
            self.after = self.end_of(&page);
        }
        let width = self.query.columns.len();
        if page.width == width {
            return Ok(Some(page));
        }
        let values = page.values.chunks(page.width).flat_map(|row| row[..width].to_vec()).collect();
        Ok(Some(Page { width, values, ..page }))
    }

    async fn ask(&mut self, query: SubQuery) {
        let query = Arc::new(query);
        let what = format!("open {query:?}");
        let _turn = self.sheet.turn.lock().await;
        self.sheet.transcript.set(about(&self.part));
        let outcome = match self.sheet.paper.open(self.part.clone(), query) {
            Ok(mut pages) => pages.next_page().await.map(drop),
            Err(error) => Err(error),
        };
        self.sheet.note(&what, ALL[0], outcome);
    }

    fn end_of(&self, page: &Page) -> Option<Position> {
        let last = page.len().checked_sub(1)?;
        let key = |key: SortKey| match key {
            SortKey::Id => Value::Text(page.ids[last].as_str().to_owned()),
            SortKey::Column(column) => {
                self.columns.iter().position(|c| *c == column).map_or(Value::Null, |place| page.row(last)[place].clone())
            }
        };
        Some(Position { keys: self.query.order.iter().map(|order| key(order.key)).collect(), id: page.ids[last].clone() })
    }
}

impl PageStream for Pages {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(self.advance())
    }
}
