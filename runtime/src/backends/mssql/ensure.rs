//! Creating parts, checking them against the manifest, adding columns, dropping: each one transaction, one at a time in a
//! database.

use super::columns::{self, DIMENSIONS};
use super::core::Core;
use super::{existing, text};
use crate::backends::sql::core::whole;
use crate::backends::sql::manifest::{Manifest, TABLE};
use crate::backends::sql::session::{Answer, Phase, Session};
use crate::backends::sql::{Sql, Statement, children, ddl};
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::Value;

/// What holds other sessions off until the transaction ends; gives a number below 0 where it could not.
const LOCK: &str = "--script\nDECLARE @held INT; EXEC @held = sp_getapplock @Resource = N'heavenbase', @LockMode = 'Exclusive', \
                    @LockOwner = 'Transaction', @LockTimeout = 60000; SELECT CAST(@held AS BIGINT)";

const MANIFEST: &str = "IF OBJECT_ID(N'[_hb_manifest]', N'U') IS NULL CREATE TABLE [_hb_manifest] \
                        ([physical] VARBINARY(255) NOT NULL PRIMARY KEY, [manifest] NVARCHAR(MAX) NOT NULL)";

const THERE: &str = "SELECT COUNT_BIG(*) FROM sys.tables WHERE [name] = @P1 AND [schema_id] = SCHEMA_ID()";

pub(super) async fn run(session: &mut dyn Session, statement: Statement) -> Result<Answer> {
    session.run(&statement, Phase::Write).await
}

async fn is_there(session: &mut dyn Session, table: &str) -> Result<bool> {
    let answer = run(session, Statement { text: THERE.to_owned(), values: vec![Value::Text(table.to_owned())] }).await?;
    whole(answer.rows.first().and_then(|row| row.first())).map(|count| count > 0)
}

async fn noted(core: &Core, session: &mut dyn Session, part: &Part) -> Result<Option<Manifest>> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT [manifest] FROM ").name(TABLE).push(" WHERE [physical] = ").bind(text::bound(&part.table));
    match run(session, sql.finish()).await?.rows.into_iter().flatten().next() {
        Some(Value::Text(text)) => Manifest::from_json(&text).map(Some),
        _ => Ok(None),
    }
}

async fn forget(core: &Core, session: &mut dyn Session, part: &Part) -> Result<()> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("DELETE FROM ").name(TABLE).push(" WHERE [physical] = ").bind(text::bound(&part.table));
    run(session, sql.finish()).await.map(drop)
}

async fn note(core: &Core, session: &mut dyn Session, part: &Part) -> Result<()> {
    forget(core, session, part).await?;
    let mut sql = Sql::new(&core.dialect);
    sql.push("INSERT INTO ").name(TABLE).push(" ([physical], [manifest]) VALUES (").bind(text::bound(&part.table)).push(", ");
    sql.bind(Value::Text(Manifest::of(part).to_json()?)).push(")");
    run(session, sql.finish()).await.map(drop)
}

/// Runs something in a transaction, while no other session creates or drops.
macro_rules! alone {
    ($core:expr, $session:ident, $work:expr) => {{
        let mut held = $core.sessions.session(Phase::Write).await?;
        let $session: &mut dyn Session = &mut *held;
        run($session, Statement::plain("BEGIN TRANSACTION")).await?;
        let outcome = match run($session, Statement::plain(LOCK)).await {
            Ok(answer) if matches!(answer.rows.first().map(Vec::as_slice), Some([Value::Int(held)]) if *held >= 0) => $work.await,
            Ok(_) => Err(Error::new(ErrorKind::Timeout, "another session has been creating or dropping parts for a minute: try again")),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(done) => held.run(&Statement::plain("COMMIT TRANSACTION"), Phase::Commit).await.map(|_| done),
            Err(error) => {
                // What cannot be undone here, the server undoes when the connection ends.
                let _ = held.run(&Statement::plain("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION"), Phase::Write).await;
                Err(error)
            }
        }
    }};
}

/// Creates the part, or adds what it lacks: all of it or nothing.
pub(super) async fn ensure(core: &Core, part: &Part) -> Result<Ensured> {
    ddl::check(part, core.dialect.vectors.then_some(DIMENSIONS))?;
    if part.is_mapped() {
        let mut session = core.sessions.session(Phase::Read).await?;
        return existing::check(core, &mut *session, part).await;
    }
    alone!(core, session, ensure_alone(core, session, part)).map_err(|error: Error| error.of_entity(part.entity.name))
}

async fn ensure_alone(core: &Core, session: &mut dyn Session, part: &Part) -> Result<Ensured> {
    let mismatch = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    run(session, Statement::plain(MANIFEST)).await?;
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
            run(session, columns::create_table(&core.dialect, part)).await?;
            for column in part.columns.iter().filter(|column| children::has_child(column)) {
                for statement in columns::create_child(&core.dialect, part, column) {
                    run(session, statement).await?;
                }
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
                for statement in columns::add(&core.dialect, part, position) {
                    run(session, statement).await?;
                }
                if children::has_child(column) {
                    for statement in columns::create_child(&core.dialect, part, column) {
                        run(session, statement).await?;
                    }
                }
                for statement in columns::fill(&core.dialect, part, position) {
                    run(session, statement).await?;
                }
                ensured.added.push(column.name.to_owned());
            }
        }
    }
    for index in ddl::create_indexes(&core.dialect, part) {
        create_index(session, part, index, ensured.created).await?;
    }
    if ensured.created || !ensured.added.is_empty() {
        note(core, session, part).await?;
    }
    Ok(ensured)
}

/// Creates an index that is not there yet.
async fn create_index(session: &mut dyn Session, part: &Part, index: Statement, new: bool) -> Result<()> {
    if !new {
        // The name is the one quoted word of ours: `CREATE [UNIQUE] INDEX [name] ON …`.
        let name = index.text.split_once('[').and_then(|(_, rest)| rest.split_once("] ON ")).map(|(name, _)| name.replace("]]", "]"));
        let values = vec![Value::Text(name.unwrap_or_default()), Value::Text(part.table.clone())];
        let text = "SELECT COUNT_BIG(*) FROM sys.indexes i JOIN sys.tables o ON o.[object_id] = i.[object_id] WHERE i.[name] = @P1 \
                    AND o.[name] = @P2 AND o.[schema_id] = SCHEMA_ID()";
        let answer = run(session, Statement { text: text.to_owned(), values }).await?;
        if whole(answer.rows.first().and_then(|row| row.first()))? > 0 {
            return Ok(());
        }
    }
    run(session, index).await.map(drop)
}

/// Drops the part and what belongs to it. A mapped table stays.
pub(super) async fn drop_part(core: &Core, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    alone!(core, session, drop_alone(core, session, part))
}

async fn drop_alone(core: &Core, session: &mut dyn Session, part: &Part) -> Result<bool> {
    run(session, Statement::plain(MANIFEST)).await?;
    let Some(found) = noted(core, session, part).await? else { return Ok(false) };
    if found.namespace != *part.namespace || found.entity != part.entity.name {
        // Says whose table it is.
        found.additions(part)?;
    }
    for column in part.columns.iter().filter(|column| children::has_child(column)) {
        run(session, ddl::drop_table(&core.dialect, &children::table(&core.dialect, part, column))).await?;
    }
    run(session, ddl::drop_table(&core.dialect, &part.table)).await?;
    forget(core, session, part).await?;
    Ok(true)
}
