//! Creating parts, checking them against the manifest, adding columns, dropping.
//!
//! The servers commit before and after every definition, so a crash can leave a part half made. A mark in the manifest's
//! table says so from before the first statement until after the last one, and who meets it removes what is left, which
//! never holds a row. Adding columns needs no mark: what the manifest does not name is added anew.

use std::collections::HashSet;

use sqlx::mysql::MySqlConnection;
use sqlx::pool::PoolConnection;
use sqlx::{ConnectOptions, Connection, MySql};

use super::core::{Core, define, execute, run};
use super::server::Server;
use super::table::{self, Table};
use super::{children, codec, existing, failure, write};
use crate::backends::network::audited;
use crate::backends::network::failure::Phase;
use crate::backends::sql::manifest::{self, Manifest};
use crate::backends::sql::{Sql, Statement, ddl};
use crate::capability::Placement;
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::Value;

/// How long another session may take to create or drop, in seconds.
const PATIENCE: i64 = 60;

fn own(text: &str, values: Vec<Value>) -> Statement {
    Statement { text: text.to_owned(), values }
}

async fn is_there(connection: &mut MySqlConnection, table: &str) -> Result<bool> {
    let text = "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?";
    Ok(!run(connection, &own(text, vec![Value::Text(table.to_owned())])).await?.is_empty())
}

/// Names of columns, or of keys, of a table.
async fn names(connection: &mut MySqlConnection, text: &str, table: &str) -> Result<HashSet<String>> {
    let rows = run(connection, &own(text, vec![Value::Text(table.to_owned())])).await?;
    rows.iter().map(|row| codec::read_text(row, 0)).collect()
}

const COLUMNS: &str = "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?";
const KEYS: &str = "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ?";

async fn noted(core: &Core, connection: &mut MySqlConnection, part: &Part) -> Result<Option<Manifest>> {
    if !is_there(connection, manifest::TABLE).await? {
        return Ok(None);
    }
    let found = run(connection, &manifest::read(&core.dialect, part)).await?;
    found.first().map(|row| codec::read_text(row, 0).and_then(|text| Manifest::from_json(&text))).transpose()
}

/// What marks a part as half made or half dropped: a name that no table has.
fn mark(part: &Part) -> String {
    format!("unfinished {}", part.table)
}

fn mark_statement(core: &Core, part: &Part, unfinished: bool) -> Statement {
    let mut sql = Sql::new(&core.dialect);
    let name = core.dialect.stored_text(mark(part));
    if unfinished {
        sql.push("REPLACE INTO ").name(manifest::TABLE).push(" (`physical`, `manifest`) VALUES (").bind(name).push(", '{}')");
    } else {
        sql.push("DELETE FROM ").name(manifest::TABLE).push(" WHERE `physical` = ").bind(name);
    }
    sql.finish()
}

async fn is_marked(core: &Core, connection: &mut MySqlConnection, part: &Part) -> Result<bool> {
    let values = vec![core.dialect.stored_text(mark(part))];
    let text = format!("SELECT 1 FROM `{}` WHERE `physical` = ?", manifest::TABLE);
    Ok(!run(connection, &own(&text, values)).await?.is_empty())
}

/// A connection that alone creates and drops, in this database.
struct Alone {
    connection: PoolConnection<MySql>,
    /// What holds the others off, where that is a row and not a name: a session of its own, since each definition commits.
    guard: Option<MySqlConnection>,
}

impl Alone {
    async fn new(core: &Core) -> Result<Self> {
        let mut attempt = 1;
        let mut connection = loop {
            let mut connection = core.pool.acquire().await.map_err(|cause| failure::error(cause, Phase::Write))?;
            match connection.ping().await {
                Ok(()) => break connection,
                Err(cause) if attempt >= core.attempts() => return Err(failure::error(cause, Phase::Write)),
                Err(_) => attempt += 1,
            }
            connection.close_on_drop();
        };
        define(&mut connection, manifest::create(&core.dialect)).await?;
        if core.dialect.server == Server::OceanBase {
            let guard = guard(core).await?;
            return Ok(Alone { connection, guard: Some(guard) });
        }
        let lock = own("SELECT GET_LOCK(CONCAT('heavenbase ', LEFT(SHA2(DATABASE(), 256), 40)), ?)", vec![Value::Int(PATIENCE)]);
        let rows = run(&mut connection, &lock).await?;
        match rows.first().map(|row| codec::read_whole(row, 0)) {
            Some(Ok(1)) => Ok(Alone { connection, guard: None }),
            _ => Err(Error::new(ErrorKind::Timeout, "another session has been creating or dropping parts for a minute: try again")),
        }
    }

    async fn done(mut self) {
        if let Some(guard) = self.guard.take() {
            // Ended, it holds nothing.
            let _ = guard.close().await;
            return;
        }
        let free = own("SELECT RELEASE_LOCK(CONCAT('heavenbase ', LEFT(SHA2(DATABASE(), 256), 40)))", Vec::new());
        if run(&mut self.connection, &free).await.is_err() {
            // What holds the lock must not go back into the pool.
            self.connection.close_on_drop();
        }
    }
}

/// Holds a row of the manifest's table: OceanBase's named locks outlive a client that dies.
async fn guard(core: &Core) -> Result<MySqlConnection> {
    let failed = |cause| failure::error(cause, Phase::Write);
    let mut guard = core.pool.connect_options().connect().await.map_err(failed)?;
    let patience = PATIENCE * 1_000_000;
    let text = format!(
        "SET ob_query_timeout = {patience}, ob_trx_timeout = {}; INSERT IGNORE INTO `{table}` (`physical`, `manifest`) VALUES ('lock', '{{}}'); \
         BEGIN; SELECT `physical` FROM `{table}` WHERE `physical` = 'lock' FOR UPDATE",
        patience * 60,
        table = manifest::TABLE
    );
    sqlx::raw_sql(audited(text)).execute(&mut guard).await.map_err(failed)?;
    Ok(guard)
}

/// Creates the part, or adds what it lacks.
pub(super) async fn ensure(core: &Core, part: &Part) -> Result<Ensured> {
    table::check(&core.dialect, part)?;
    if part.is_mapped() {
        let mut connection = core.pool.acquire().await.map_err(|cause| failure::error(cause, Phase::Write))?;
        return existing::check(&mut connection, part).await;
    }
    let mut alone = Alone::new(core).await?;
    let ensured = ensure_alone(core, &mut alone.connection, part).await;
    alone.done().await;
    ensured
}

async fn ensure_alone(core: &Core, connection: &mut MySqlConnection, part: &Part) -> Result<Ensured> {
    if is_marked(core, connection, part).await? {
        remove(core, connection, part).await?;
    }
    let lies = Table::new(&core.dialect, part);
    let mut ensured = Ensured::default();
    match noted(core, connection, part).await? {
        None => {
            if is_there(connection, &part.table).await? {
                let why = format!(
                    "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
                    part.table
                );
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            execute(connection, &mark_statement(core, part, true)).await?;
            if let Err(error) = create(core, connection, part, &lies).await {
                // What cannot be removed now is removed by the next one.
                let _ = remove(core, connection, part).await;
                return Err(error.of_entity(part.entity.name));
            }
            ensured.created = true;
        }
        Some(found) => {
            if !is_there(connection, &part.table).await? {
                let why = format!("the table `{}` is gone, although the manifest names it: drop the entity to start anew", part.table);
                return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
            }
            let additions: Vec<&Column> = found.additions(part)?.into_iter().filter_map(|i| part.columns.get(i)).collect();
            if !additions.is_empty() {
                let there = names(connection, COLUMNS, &part.table).await?;
                for column in &additions {
                    add(core, connection, part, &lies, column, &there).await?;
                    ensured.added.push(column.name.to_owned());
                }
            }
            let there = names(connection, KEYS, &part.table).await?;
            for (name, key) in lies.keys().into_iter().filter(|(name, _)| !there.contains(name)) {
                let mut sql = Sql::new(&core.dialect);
                sql.push("ALTER TABLE ").table(part).push(" ADD ").push_type(&key.text);
                define(connection, sql.finish()).await.map_err(|error| error.with("key", name).of_entity(part.entity.name))?;
            }
            vector_indexes(core, connection, part, &there).await?;
        }
    }
    if ensured.created || !ensured.added.is_empty() {
        let mut transaction = connection.begin().await.map_err(|cause| failure::error(cause, Phase::Write))?;
        execute(&mut transaction, &manifest::remove(&core.dialect, part)).await?;
        execute(&mut transaction, &manifest::note(&core.dialect, part)?).await?;
        execute(&mut transaction, &mark_statement(core, part, false)).await?;
        transaction.commit().await.map_err(|cause| failure::error(cause, Phase::Commit))?;
    }
    Ok(ensured)
}

async fn create(core: &Core, connection: &mut MySqlConnection, part: &Part, lies: &Table<'_>) -> Result<()> {
    define(connection, lies.create()).await?;
    for column in part.columns.iter().filter(|column| children::has_child(column)) {
        define(connection, children::create(&core.dialect, part, column)).await?;
    }
    vector_indexes(core, connection, part, &HashSet::new()).await
}

async fn vector_indexes(core: &Core, connection: &mut MySqlConnection, part: &Part, there: &HashSet<String>) -> Result<()> {
    let Some(vectors) = core.dialect.vectors else { return Ok(()) };
    for column in part.columns.iter().filter(|column| column.placement == Placement::VectorIndex) {
        if there.contains(&ddl::index_name(&core.dialect, part, &[column], false)) {
            continue;
        }
        if let Some(index) = vectors.create_index(&core.dialect, part, column)? {
            define(connection, index).await?;
        }
    }
    Ok(())
}

/// Adds a column with what lies beside it. What is there under its names was left by one who did not finish.
async fn add(
    core: &Core,
    connection: &mut MySqlConnection,
    part: &Part,
    lies: &Table<'_>,
    column: &Column,
    there: &HashSet<String>,
) -> Result<()> {
    let additions = lies.additions(column);
    // What was derived goes first.
    for (name, _) in additions.iter().rev().filter(|(name, _)| there.contains(name)) {
        let mut sql = Sql::new(&core.dialect);
        sql.push("ALTER TABLE ").table(part).push(" DROP COLUMN ").name(name);
        define(connection, sql.finish()).await?;
    }
    for (_, statement) in additions {
        define(connection, statement).await?;
    }
    if children::has_child(column) {
        define(connection, ddl::drop_table(&core.dialect, &children::table(&core.dialect, part, column))).await?;
        define(connection, children::create(&core.dialect, part, column)).await?;
    }
    write::fill(core, connection, part, column).await
}

/// Removes a part with all that belongs to it, and its mark last.
async fn remove(core: &Core, connection: &mut MySqlConnection, part: &Part) -> Result<()> {
    for column in part.columns.iter().filter(|column| children::has_child(column)) {
        define(connection, ddl::drop_table(&core.dialect, &children::table(&core.dialect, part, column))).await?;
    }
    define(connection, ddl::drop_table(&core.dialect, &part.table)).await?;
    execute(connection, &manifest::remove(&core.dialect, part)).await?;
    execute(connection, &mark_statement(core, part, false)).await.map(drop)
}

/// Drops the part and what belongs to it. A mapped table stays.
pub(super) async fn drop_part(core: &Core, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    let mut alone = Alone::new(core).await?;
    let dropped = drop_alone(core, &mut alone.connection, part).await;
    alone.done().await;
    dropped
}

async fn drop_alone(core: &Core, connection: &mut MySqlConnection, part: &Part) -> Result<bool> {
    let Some(found) = noted(core, connection, part).await? else {
        if is_there(connection, manifest::TABLE).await? && is_marked(core, connection, part).await? {
            remove(core, connection, part).await?;
        }
        return Ok(false);
    };
    if found.namespace != *part.namespace || found.entity != part.entity.name {
        // Says whose table it is.
        found.additions(part)?;
    }
    execute(connection, &mark_statement(core, part, true)).await?;
    remove(core, connection, part).await?;
    Ok(true)
}
