//! Vector searches on servers, beside what a client would send by hand, in one process on one table: near with a filter on one
//! backend, near with a filter on another, and hybrids beside each of their searches. Recall is printed beside the time, for a
//! faster search that finds less is none.
//!
//! `HEAVENBASE_TEST_PGVECTOR=… HEAVENBASE_TEST_ELASTICSEARCH=… HEAVENBASE_TEST_CHROMA=… HEAVENBASE_TEST_MILVUS=…
//! HEAVENBASE_TEST_SYNSETS=….npy cargo bench -p heavenbase-benches --features vectors --bench vectors -- [alone|elsewhere|hybrid] [pgvector|elasticsearch|chroma|milvus|inmem|sqlite|lance]`
//! (Lance with `--features lance`.)
#![allow(clippy::print_stdout, missing_docs)]

mod alone;
mod elsewhere;
mod embedded;
mod hybrid;
#[cfg(feature = "lance")]
mod lance;
mod milvus;
mod race;
mod raw;
mod rows;

use std::sync::Arc;

use heavenbase::backends::elasticsearch::Refresh;
use heavenbase::prelude::*;
use heavenbase::query::Writable;
use heavenbase::schema::{Binding, Part, Routing};

use alone::{ChromaGloss, ElasticFlat, ElasticGloss, MemoryGloss, MilvusGloss, PgGloss, SqliteGloss};
use elsewhere::{ChromaSplit, ElasticSplit, MemorySplit, MilvusSplit, PgSplit};
use hybrid::{Across, AcrossHybrid, ElasticHybrid, InElastic, InPg, PgHybrid};

pub type Failed = Box<dyn std::error::Error>;

pub const LENGTH: usize = 384;
pub const ROUNDS: usize = 60;
pub const K: usize = 10;

/// What lies of an entity on a backend.
pub fn part_of<E: Entity>(ws: &Workspace<E::Layout>, backend: &str) -> Result<Arc<Part>, Failed> {
    let named = ["main", "vectors", "words"].into_iter();
    let bindings = named.filter_map(|name| {
        let driver = ws.driver(name)?;
        Some(Binding { name, kind: driver.description().kind, driver })
    });
    let bindings: Vec<Binding> = bindings.collect();
    let routing = Routing::new(E::SCHEMA, &"bench".into(), bindings[0].name, &bindings)?;
    Ok(routing.parts.iter().find(|part| part.backend == backend).ok_or("no part")?.clone())
}

/// A workspace of a layout with so many rows of one entity, and no others of it.
pub async fn filled<L: Layout, E: Writable + Entity<Layout = L>>(
    layout: L,
    rows: usize,
    row: impl Fn(usize) -> Result<E, Failed>,
) -> Result<Workspace<L>, Failed> {
    let ws = Workspace::open_as("bench", layout).await?;
    ws.register::<E>().await?;
    ws.drop::<E>().await?;
    ws.register::<E>().await?;
    for start in (0..rows).step_by(2_000) {
        let chunk: Vec<E> = (start..rows.min(start + 2_000)).map(&row).collect::<Result<_, _>>()?;
        ws.upsert_many(&chunk).await?;
    }
    ws.refresh::<E>().await?;
    Ok(ws)
}

/// Builds the indexes that a backend in this process builds beside the writes.
pub async fn maintained(driver: &Arc<dyn heavenbase::driver::Driver>, part: &Arc<Part>) -> Result<(), Failed> {
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
    let (subjects, kinds) =
        (["alone", "elsewhere", "hybrid"], ["pgvector", "elasticsearch", "chroma", "milvus", "inmem", "sqlite", "lance"]);
    let wanted = |name: &str, among: &[&str]| chosen.iter().all(|c| !among.contains(&c.as_str()) || c == name);
    let address = |kind: &str| {
        if !wanted(kind, &kinds) {
            return None;
        }
        let variable = format!("HEAVENBASE_TEST_{}", kind.to_uppercase());
        let found = std::env::var(&variable).ok();
        if found.is_none() {
            println!("not run: {variable} is not set");
        }
        found
    };
    let rows = rows::rows()?;
    let elastic = |url: &str| Elasticsearch::url(url).refresh(Refresh::BeforeSearch);
    let (pg, es, chroma, milvus) = (address("pgvector"), address("elasticsearch"), address("chroma"), address("milvus"));
    if wanted("alone", &subjects) {
        if let Some(url) = &pg {
            PgGloss::measure("pgvector hnsw", url, &rows, PgVector::url(url)).await?;
        }
        if let Some(url) = &es {
            ElasticGloss::measure("elasticsearch hnsw", url, &rows, elastic(url)).await?;
            ElasticFlat::measure("elasticsearch flat", url, &rows, elastic(url)).await?;
        }
        if let Some(url) = &chroma {
            ChromaGloss::measure("chroma", url, &rows, Chroma::url(url)).await?;
        }
        if let Some(url) = &milvus {
            MilvusGloss::measure("milvus", url, &rows, Milvus::url(url)).await?;
        }
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
    if wanted("elsewhere", &subjects) {
        if let Some(url) = &pg {
            PgSplit::measure("pgvector", url, &rows, PgVector::url(url)).await?;
        }
        if let Some(url) = &es {
            ElasticSplit::measure("elasticsearch", url, &rows, elastic(url)).await?;
        }
        if let Some(url) = &chroma {
            ChromaSplit::measure("chroma", url, &rows, Chroma::url(url)).await?;
        }
        if let Some(url) = &milvus {
            MilvusSplit::measure("milvus", url, &rows, Milvus::url(url)).await?;
        }
        if wanted("inmem", &kinds) {
            MemorySplit::measure("inmem", "", &rows, InMem::new()).await?;
        }
        #[cfg(feature = "lance")]
        if wanted("lance", &kinds) {
            lance::elsewhere(&rows).await?;
        }
    }
    if wanted("hybrid", &subjects) {
        if let Some(url) = &pg {
            PgHybrid::measure("pgvector", &rows, InPg { main: PgVector::url(url) }).await?;
        }
        if let Some(url) = &es {
            ElasticHybrid::measure("elasticsearch", &rows, InElastic { main: elastic(url) }).await?;
        }
        if let (Some(pg), Some(es)) = (&pg, &es) {
            let across = Across { words: elastic(es), vectors: PgVector::url(pg) };
            AcrossHybrid::measure("elasticsearch and pgvector", &rows, across).await?;
        }
    }
    Ok(())
}
