//! Creating parts, checking them against the manifest, adding columns, dropping.
//!
//! The server commits before and after every definition, so a crash can leave a part half made. A mark in the manifest's table
//! says so from before the first statement until after the last one, and who meets it removes what is left, which never holds a
//! row. Adding columns needs no mark: what the manifest does not name is added anew. One session at a time: the others wait for
//! a row that a session beside holds, since each definition ends a transaction.

use super::columns::{self, DIMENSIONS};
use super::core::Core;
use super::existing;
use crate::backends::sql::core::whole;
use crate::backends::sql::manifest::{Manifest, TABLE};
use crate::backends::sql::session::{Answer, Phase, Session};
use crate::backends::sql::{Sql, Statement, children, ddl};
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::Value;

const MANIFEST: &str = "CREATE TABLE \"_hb_manifest\" (\"physical\" VARCHAR2(255 BYTE) NOT NULL PRIMARY KEY, \"manifest\" CLOB NOT NULL)";

/// The row that who creates or drops holds: a name that no table has, as are the marks.
const GUARD: &str = "the guard";

const COMMIT: &str = "COMMIT";

async fn run(session: &mut dyn Session, statement: Statement) -> Result<Answer> {
    session.run(&statement, Phase::Write).await
}

/// How many rows there are of these, by two names.
async fn count(session: &mut dyn Session, text: &str, names: &[&str]) -> Result<i64> {
    let values = names.iter().map(|name| Value::Text((*name).to_owned())).collect();
    let answer = run(session, Statement { text: text.to_owned(), values }).await?;
    whole(answer.rows.first().and_then(|row| row.first()))
}

async fn is_there(session: &mut dyn Session, table: &str) -> Result<bool> {
    Ok(count(session, "SELECT COUNT(*) FROM user_tables WHERE table_name = :1", &[table]).await? > 0)
}

/// Runs what may have been done already.
async fn again(session: &mut dyn Session, statement: Statement, done: ErrorKind) -> Result<()> {
    match run(session, statement).await {
        Err(error) if error.kind() == done => Ok(()),
        other => other.map(drop),
    }
}

/// A row of the manifest's table.
fn row(core: &Core, head: &'static str, physical: &str, tail: &'static str) -> Statement {
    let mut sql = Sql::new(&core.dialect);
    sql.push(head).name(TABLE).push(" WHERE \"physical\" = ").bind(Value::Text(physical.to_owned())).push(tail);
    sql.finish()
}

async fn noted(core: &Core, session: &mut dyn Session, part: &Part) -> Result<Option<Manifest>> {
    match run(session, row(core, "SELECT \"manifest\" FROM ", &part.table, "")).await?.rows.into_iter().flatten().next() {
        Some(Value::Text(text)) => Manifest::from_json(&text).map(Some),
        _ => Ok(None),
    }
}

fn put(core: &Core, physical: &str, manifest: String) -> Statement {
    let mut sql = Sql::new(&core.dialect);
    sql.push("INSERT INTO ").name(TABLE).push(" (\"physical\", \"manifest\") VALUES (");
    sql.bind(Value::Text(physical.to_owned())).push(", ").bind(Value::Text(manifest)).push(")");
    sql.finish()
}

/// What marks a part as half made or half dropped.
fn mark(part: &Part) -> String {
    format!("unfinished {}", part.table)
}

async fn is_marked(core: &Core, session: &mut dyn Session, part: &Part) -> Result<bool> {
    Ok(!run(session, row(core, "SELECT \"physical\" FROM ", &mark(part), "")).await?.rows.is_empty())
}

/// What the entity asks for that can be refused before anything runs.
fn check(core: &Core, part: &Part) -> Result<()> {
    ddl::check(part, core.dialect.vectors.then_some(DIMENSIONS))?;
    // The server has no way to write these in a quoted name.
    let mut names = part.path().chain([part.id_column()]).chain(part.columns.iter().map(|column| column.physical.as_str()));
    match names.find(|name| name.contains(['"', '\0']) || name.len() > 128) {
        Some(name) => {
            let why = format!("the name {name:?} cannot be written in Oracle: it has a quote or U+0000 in it, or more than 128 bytes");
            Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name))
        }
        None => Ok(()),
    }
}

/// Runs something while no other session creates or drops.
macro_rules! alone {
    ($core:expr, $session:ident, $work:expr) => {{
        let mut held = $core.sessions.session(Phase::Write).await?;
        let $session: &mut dyn Session = &mut *held;
        prepare($core, $session).await?;
        let mut guard = $core.sessions.session(Phase::Connect).await?;
        let outcome = match run(&mut *guard, row($core, "SELECT \"physical\" FROM ", GUARD, " FOR UPDATE WAIT 60")).await {
            Ok(_) => $work.await,
            Err(error) if error.kind() == ErrorKind::Timeout => {
                Err(Error::new(ErrorKind::Timeout, "another session has been creating or dropping parts for a minute: try again"))
            }
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            let _ = run($session, Statement::plain("ROLLBACK")).await;
        }
        // Ended, it holds nothing.
        let _ = run(&mut *guard, Statement::plain("ROLLBACK")).await;
        outcome
    }};
}

/// The manifest's table, with the row that guards it.
async fn prepare(core: &Core, session: &mut dyn Session) -> Result<()> {
    if !is_there(session, TABLE).await? {
        again(session, Statement::plain(MANIFEST), ErrorKind::AlreadyExists).await?;
    }
    if run(session, row(core, "SELECT \"physical\" FROM ", GUARD, "")).await?.rows.is_empty() {
        again(session, put(core, GUARD, "{}".to_owned()), ErrorKind::UniqueViolation).await?;
    }
    run(session, Statement::plain(COMMIT)).await.map(drop)
}

/// Creates the part, or adds what it lacks.
pub(super) async fn ensure(core: &Core, part: &Part) -> Result<Ensured> {
    check(core, part)?;
    if part.is_mapped() {
        let mut session = core.sessions.session(Phase::Read).await?;
        return existing::check(&mut *session, part).await;
    }
    alone!(core, session, ensure_alone(core, session, part)).map_err(|error: Error| error.of_entity(part.entity.name))
}

async fn ensure_alone(core: &Core, session: &mut dyn Session, part: &Part) -> Result<Ensured> {
    let mismatch = |why: String| Error::new(ErrorKind::SchemaMismatch, why);
    if is_marked(core, session, part).await? {
        remove(core, session, part).await?;
    }
    let mut ensured = Ensured::default();
    let found = noted(core, session, part).await?;
    let there = is_there(session, &part.table).await?;
    match found {
        None if there => {
            return Err(mismatch(format!(
                "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
                part.table
            )));
        }
        None => {
            run(session, put(core, &mark(part), "{}".to_owned())).await?;
            run(session, Statement::plain(COMMIT)).await?;
            if let Err(error) = create(core, session, part).await {
                // What cannot be removed now is removed by the next one.
                let _ = remove(core, session, part).await;
                return Err(error);
            }
            ensured.created = true;
        }
        Some(_) if !there => {
            let why = format!("the table `{}` is gone, although the manifest names it: drop the entity to start anew", part.table);
            return Err(mismatch(why));
        }
        Some(found) => {
            for position in found.additions(part)? {
                let Some(column) = part.columns.get(position) else { continue };
                add(core, session, part, position, column).await?;
                ensured.added.push(column.name.to_owned());
            }
            for index in ddl::create_indexes(&core.dialect, part) {
                // The name is the first quoted one: `CREATE [UNIQUE] INDEX "name" ON …`.
                let name = index.text.split('"').nth(1).unwrap_or_default().to_owned();
                if count(session, "SELECT COUNT(*) FROM user_indexes WHERE index_name = :1", &[&name]).await? == 0 {
                    again(session, index, ErrorKind::AlreadyExists).await.map_err(|error| error.with("key", name))?;
                }
            }
        }
    }
    if ensured.created || !ensured.added.is_empty() {
        run(session, row(core, "DELETE FROM ", &part.table, "")).await?;
        run(session, put(core, &part.table, Manifest::of(part).to_json()?)).await?;
        run(session, row(core, "DELETE FROM ", &mark(part), "")).await?;
    }
    session.run(&Statement::plain(COMMIT), Phase::Commit).await?;
    Ok(ensured)
}

async fn create(core: &Core, session: &mut dyn Session, part: &Part) -> Result<()> {
    run(session, columns::create_table(&core.dialect, part)).await?;
    for column in part.columns.iter().filter(|column| children::has_child(column)) {
        for statement in columns::create_child(&core.dialect, part, column) {
            run(session, statement).await?;
        }
    }
    for index in ddl::create_indexes(&core.dialect, part) {
        // The same columns may have one already: that of the key, or a unique one.
        again(session, index, ErrorKind::AlreadyExists).await?;
    }
    Ok(())
}

/// Adds a column with what lies beside it. What is there under its names was left by one who did not finish.
async fn add(core: &Core, session: &mut dyn Session, part: &Part, position: usize, column: &Column) -> Result<()> {
    for (name, statement) in columns::additions(&core.dialect, part, position) {
        let text = "SELECT COUNT(*) FROM user_tab_columns WHERE table_name = :1 AND column_name = :2";
        if count(session, text, &[&part.table, &name]).await? > 0 {
            let mut sql = Sql::new(&core.dialect);
            sql.push("ALTER TABLE ").table(part).push(" DROP COLUMN ").name(&name);
            run(session, sql.finish()).await?;
        }
        run(session, statement).await?;
    }
    if children::has_child(column) {
        drop_table(core, session, &children::table(&core.dialect, part, column)).await?;
        for statement in columns::create_child(&core.dialect, part, column) {
            run(session, statement).await?;
        }
    }
    for statement in columns::fill(&core.dialect, part, position) {
        run(session, statement).await?;
    }
    Ok(())
}

async fn drop_table(core: &Core, session: &mut dyn Session, table: &str) -> Result<()> {
    if !is_there(session, table).await? {
        return Ok(());
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("DROP TABLE ").name(table).push(" CASCADE CONSTRAINTS PURGE");
    run(session, sql.finish()).await.map(drop)
}

/// Removes a part with all that belongs to it, and its mark last.
async fn remove(core: &Core, session: &mut dyn Session, part: &Part) -> Result<()> {
    for column in part.columns.iter().filter(|column| children::has_child(column)) {
        drop_table(core, session, &children::table(&core.dialect, part, column)).await?;
    }
    drop_table(core, session, &part.table).await?;
    run(session, row(core, "DELETE FROM ", &part.table, "")).await?;
    run(session, row(core, "DELETE FROM ", &mark(part), "")).await?;
    session.run(&Statement::plain(COMMIT), Phase::Commit).await.map(drop)
}

/// Drops the part and what belongs to it. A mapped table stays.
pub(super) async fn drop_part(core: &Core, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    alone!(core, session, drop_alone(core, session, part))
}

async fn drop_alone(core: &Core, session: &mut dyn Session, part: &Part) -> Result<bool> {
    let Some(found) = noted(core, session, part).await? else {
        if is_marked(core, session, part).await? {
            remove(core, session, part).await?;
        }
        session.run(&Statement::plain(COMMIT), Phase::Commit).await?;
        return Ok(false);
    };
    if found.namespace != *part.namespace || found.entity != part.entity.name {
        // Says whose table it is.
        found.additions(part)?;
    }
    if !is_marked(core, session, part).await? {
        run(session, put(core, &mark(part), "{}".to_owned())).await?;
        run(session, Statement::plain(COMMIT)).await?;
    }
    remove(core, session, part).await?;
    Ok(true)
}
