//! Vector searches in this process, beside the same written by hand: near with a filter on one backend, and near with a filter
//! on SQLite. Recall is printed beside the time.
//!
//! `HEAVENBASE_TEST_SYNSETS=….npy cargo bench -p heavenbase-benches --bench vectors_in_process -- [alone|elsewhere]
//! [inmem|sqlite|lance]`, Lance with `--features lance`.
#![allow(clippy::print_stdout, missing_docs)]

mod alone;
mod elsewhere;
mod filled;
#[cfg(feature = "lance")]
mod lance;
mod race;
#[path = "embedded.rs"]
mod raw;
mod rows;

use std::sync::Arc;

use heavenbase::driver::Driver;
use heavenbase::prelude::*;
use heavenbase::schema::Part;

use alone::on;
use elsewhere::beside;

pub type Failed = Box<dyn std::error::Error>;

on!(OnMemory, MemoryGloss, InMem);
on!(OnSqlite, SqliteGloss, Sqlite);
beside!(MemoryBeside, MemorySplit, InMem, 1_000_000);

/// Builds the indexes that are built beside the writes.
pub async fn maintained(driver: &Arc<dyn Driver>, part: &Arc<Part>) -> Result<(), Failed> {
    let _ = (driver, part);
    #[cfg(feature = "lance")]
    if let Some(lance) = driver.as_any().downcast_ref::<heavenbase::backends::lance::LanceDriver>() {
        lance.maintain(part).await?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (subjects, kinds) = (["alone", "elsewhere"], ["inmem", "sqlite", "lance"]);
    let wanted = |name: &str, among: &[&str]| chosen.iter().all(|c| !among.contains(&c.as_str()) || c == name);
    let rows = rows::rows()?;
    if wanted("alone", &subjects) {
        if wanted("inmem", &kinds) {
            MemoryGloss::measure("inmem", "", &rows, InMem::new()).await?;
        }
        if wanted("sqlite", &kinds) {
            let directory = tempfile::tempdir()?;
            let by_hand = directory.path().join("by-hand.db");
            let by_hand = by_hand.to_str().ok_or("the directory's path is not Unicode")?;
            SqliteGloss::measure("sqlite", by_hand, &rows, Sqlite::file(directory.path().join("ours.db"))).await?;
        }
        #[cfg(feature = "lance")]
        if wanted("lance", &kinds) {
            lance::alone(&rows).await?;
        }
    }
    if wanted("elsewhere", &subjects) && wanted("inmem", &kinds) {
        MemorySplit::measure("inmem", "", &rows, InMem::new()).await?;
    }
    #[cfg(feature = "lance")]
    if wanted("elsewhere", &subjects) && wanted("lance", &kinds) {
        lance::elsewhere(&rows).await?;
    }
    Ok(())
}
