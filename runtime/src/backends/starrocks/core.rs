//! What the driver and its streams share: connections and cells, and what a write needs beside them.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::codec;
use super::dialect::StarRocksDialect;
use super::load::Loader;
use crate::backends::sql::Statement;
use crate::backends::sql::core::Lies;
use crate::backends::sql::forms::{corrupt, decimal};
use crate::backends::sql::session::{Answer, Phase};
use crate::driver::deadline_after;
use crate::error::Result;
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// A row's turn to be written: one writer of this process a table.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

/// Connections, and how cells are read.
pub(super) type Reads = crate::backends::sql::core::Core<StarRocksDialect>;

/// One connection.
pub(super) struct Core {
    pub(super) reads: Arc<Reads>,
    /// Most bytes of a statement.
    pub(super) packet: usize,
    /// Where rows are loaded; none where the address of that was not given.
    pub(super) loader: Option<Loader>,
    /// How long one write may take.
    pub(super) patience: Duration,
    pub(super) turns: Mutex<HashMap<String, Turn>>,
}

impl Deref for Core {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.reads
    }
}

impl Lies for StarRocksDialect {
    fn read(&self, part: &Part, logical: &LogicalType, cell: Value) -> Result<Value> {
        codec::read(logical, cell, part.is_mapped())
    }

    fn typed(&self, logical: &LogicalType, cell: Value) -> Result<Value> {
        let Value::Text(text) = cell else { return if cell.is_null() { Ok(cell) } else { Err(corrupt()) } };
        Ok(match logical {
            // Sums of floats may have left their range.
            LogicalType::Float => Value::Float(text.parse().map_err(|_| corrupt())?),
            LogicalType::Int { .. } => Value::Int(text.parse().map_err(|_| corrupt())?),
            // One of more digits than ours have stays a text.
            _ => decimal(&text).map_or(Value::Text(text), Value::Decimal),
        })
    }
}

impl Core {
    /// When a write that begins now must be over.
    pub(super) fn deadline(&self) -> Instant {
        deadline_after(self.patience)
    }

    /// The turn of a table.
    pub(super) fn turn(&self, table: &str) -> Turn {
        self.turns.lock().entry(table.to_owned()).or_default().clone()
    }

    /// Runs a statement that writes: once.
    pub(super) async fn run(&self, statement: &Statement) -> Result<Answer> {
        let mut session = self.sessions.session(Phase::Write).await?;
        session.run(statement, Phase::Commit).await
    }
}
