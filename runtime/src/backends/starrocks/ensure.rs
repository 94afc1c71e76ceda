//! Creating parts, checking them against the manifest, adding columns, dropping. Definitions are no transactions there: the
//! manifest says, before the first statement, that a part is being made or dropped, and who finds that ends it.

use std::time::{Duration, Instant};

use super::core::Core;
use super::{columns, existing};
use crate::backends::sql::manifest::{Manifest, TABLE};
use crate::backends::sql::{Sql, Statement, ddl};
use crate::driver::Ensured;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::Part;
use crate::types::Value;

/// How far a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its table may be there, and is empty.
    Making,
    /// Its table is there.
    Ready,
    /// Its table may be there, and goes.
    Dropping,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            State::Making => "making",
            State::Ready => "ready",
            State::Dropping => "dropping",
        }
    }
}

fn manifest_table(core: &Core) -> Statement {
    let mut sql = Sql::new(&core.dialect);
    sql.push("CREATE TABLE IF NOT EXISTS ").name(TABLE).push(" (`physical` VARCHAR(128) NOT NULL, `manifest` VARCHAR(1048576) NOT NULL, ");
    sql.push("`state` VARCHAR(16) NOT NULL) PRIMARY KEY (`physical`) DISTRIBUTED BY HASH(`physical`)");
    sql.push_type(&columns::Layout { buckets: Some(1), ..core.dialect.layout }.text());
    sql.finish()
}

/// What the manifest says of a part.
async fn noted(core: &Core, part: &Part) -> Result<Option<(Manifest, State)>> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT `manifest`, `state` FROM ").name(TABLE).push(" WHERE `physical` = ").bind(Value::Text(part.table.clone()));
    let answer = core.read_rows(&sql.finish()).await?;
    let Some([Value::Text(manifest), Value::Text(state)]) = answer.rows.first().map(Vec::as_slice) else { return Ok(None) };
    let known = [State::Making, State::Ready, State::Dropping].into_iter().find(|known| known.name() == state);
    let state = known.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the manifest says of a part what is not known"))?;
    Ok(Some((Manifest::from_json(manifest)?, state)))
}

/// Notes the manifest of a part, in the place of what was noted.
async fn note(core: &Core, part: &Part, manifest: &Manifest, state: State) -> Result<()> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("INSERT INTO ").name(TABLE).push(" (`physical`, `manifest`, `state`) VALUES (").bind(Value::Text(part.table.clone()));
    sql.push(", ").bind(Value::Text(manifest.to_json()?)).push(", ").bind(Value::Text(state.name().to_owned())).push(")");
    core.run(&sql.finish()).await.map(drop)
}

async fn forget(core: &Core, part: &Part) -> Result<()> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("DELETE FROM ").name(TABLE).push(" WHERE `physical` = ").bind(Value::Text(part.table.clone()));
    core.run(&sql.finish()).await.map(drop)
}

async fn is_there(core: &Core, part: &Part) -> Result<bool> {
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ");
    sql.bind(Value::Text(part.table.clone()));
    Ok(core.count(&sql.finish()).await? > 0)
}

fn drop_table(core: &Core, part: &Part) -> Statement {
    ddl::drop_table(&core.dialect, &part.table)
}

/// Creates the part, or adds what it lacks.
pub(super) async fn ensure(core: &Core, part: &Part) -> Result<Ensured> {
    ddl::refuse_keys(part, "StarRocks")?;
    let named = |error: Error| error.of_entity(part.entity.name);
    if part.is_mapped() {
        return existing::check(core, part).await.map_err(named);
    }
    let turn = core.turn(TABLE);
    let _turn = turn.lock().await;
    ensure_alone(core, part).await.map_err(named)
}

async fn ensure_alone(core: &Core, part: &Part) -> Result<Ensured> {
    core.run(&manifest_table(core)).await?;
    let wanted = Manifest::of(part);
    match noted(core, part).await? {
        None if is_there(core, part).await? => {
            let why = format!(
                "a table `{}` is there that HeavenBase did not create: map it with #[entity(table = …)], or choose another name",
                part.table
            );
            Err(Error::new(ErrorKind::SchemaMismatch, why))
        }
        None => make(core, part, &wanted).await,
        // Somebody makes the same, or did not live to end it: to do it twice does no harm.
        Some((found, State::Making)) if found == wanted => make(core, part, &wanted).await,
        Some((found, state)) => {
            // Says whose table it is.
            let additions = found.additions(part);
            if state != State::Ready && found.namespace == wanted.namespace && found.entity == wanted.entity {
                core.run(&drop_table(core, part)).await?;
                return make(core, part, &wanted).await;
            }
            let additions = additions?;
            if !is_there(core, part).await? {
                let why = format!("the table `{}` is gone, although the manifest names it: drop the entity to start anew", part.table);
                return Err(Error::new(ErrorKind::SchemaMismatch, why));
            }
            evolve(core, part, &additions).await
        }
    }
}

async fn make(core: &Core, part: &Part, wanted: &Manifest) -> Result<Ensured> {
    note(core, part, wanted, State::Making).await?;
    core.run(&columns::create_table(&core.dialect, part)).await?;
    note(core, part, wanted, State::Ready).await?;
    Ok(Ensured { created: true, ..Ensured::default() })
}

async fn evolve(core: &Core, part: &Part, additions: &[usize]) -> Result<Ensured> {
    let mut ensured = Ensured::default();
    if additions.is_empty() {
        return Ok(ensured);
    }
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ");
    sql.bind(Value::Text(part.table.clone()));
    let there = core.read_rows(&sql.finish()).await?.rows;
    let has = |name: &str| there.iter().any(|row| row.first().and_then(Value::as_text) == Some(name));
    for column in additions.iter().filter_map(|&position| part.columns.get(position)) {
        for (name, statement) in columns::additions(&core.dialect, part, column) {
            if !has(&name) {
                core.run(&statement).await?;
                appears(core, part, &name).await?;
            }
        }
        if let Some(statement) = columns::fill(&core.dialect, part, column)? {
            core.run(&statement).await?;
        }
        ensured.added.push(column.name.to_owned());
    }
    note(core, part, &Manifest::of(part), State::Ready).await?;
    Ok(ensured)
}

/// Waits for a column: older servers add it in the background, and take no other change of the table meanwhile.
async fn appears(core: &Core, part: &Part, name: &str) -> Result<()> {
    let deadline: Instant = core.deadline();
    let mut pause = Duration::from_millis(50);
    loop {
        let mut sql = Sql::new(&core.dialect);
        sql.push("SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ");
        sql.bind(Value::Text(part.table.clone())).push(" AND column_name = ").bind(Value::Text(name.to_owned()));
        if core.count(&sql.finish()).await? > 0 {
            return Ok(());
        }
        if Instant::now() + pause >= deadline {
            let why = "the server has not yet added the column that it was told to add: register the entity again later";
            return Err(Error::new(ErrorKind::Timeout, why).with_status(Status::Temporary));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Drops the part. A mapped table stays.
pub(super) async fn drop_part(core: &Core, part: &Part) -> Result<bool> {
    if part.is_mapped() {
        return Ok(false);
    }
    let turn = core.turn(TABLE);
    let _turn = turn.lock().await;
    let dropped = drop_alone(core, part).await.map_err(|error| error.of_entity(part.entity.name))?;
    core.turns.lock().remove(&part.table);
    Ok(dropped)
}

async fn drop_alone(core: &Core, part: &Part) -> Result<bool> {
    core.run(&manifest_table(core)).await?;
    let Some((found, state)) = noted(core, part).await? else { return Ok(false) };
    if found.namespace != *part.namespace || found.entity != part.entity.name {
        // Says whose table it is.
        found.additions(part)?;
    }
    if state != State::Dropping {
        note(core, part, &found, State::Dropping).await?;
    }
    core.run(&drop_table(core, part)).await?;
    forget(core, part).await?;
    Ok(true)
}
