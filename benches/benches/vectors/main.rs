//! Vector searches on servers, beside what a client would send by hand, in one process on one table: near with a filter on one
//! backend, near with a filter on another, and hybrids beside each of their searches. Recall is printed beside the time, for a
//! faster search that finds less is none.
//!
//! `HEAVENBASE_TEST_PGVECTOR=… HEAVENBASE_TEST_ELASTICSEARCH=… HEAVENBASE_TEST_CHROMA=… HEAVENBASE_TEST_MILVUS=…
//! HEAVENBASE_TEST_SYNSETS=….npy cargo bench -p heavenbase-benches --features vectors --bench vectors -- [alone|elsewhere|hybrid] [pgvector|elasticsearch|chroma|milvus]`
//!
//! What is searched in this process is in `in_process.rs`.
#![allow(clippy::print_stdout, missing_docs)]

mod alone;
mod elsewhere;
mod filled;
mod hybrid;
mod milvus;
mod race;
mod raw;
mod rows;

use std::sync::Arc;
use std::time::{Duration, Instant};

use heavenbase::backends::elasticsearch::Refresh;
use heavenbase::backends::milvus::{Consistency, MilvusDriver};
use heavenbase::driver::Driver;
use heavenbase::prelude::*;
use heavenbase::schema::Part;

use alone::on;
use elsewhere::beside;
use hybrid::{Across, AcrossHybrid, ElasticHybrid, InElastic, InPg, PgHybrid};

pub type Failed = Box<dyn std::error::Error>;

on!(OnPg, PgGloss, PgVector, hnsw);
on!(OnElastic, ElasticGloss, Elasticsearch, hnsw);
on!(OnElasticFlat, ElasticFlat, Elasticsearch, flat);
on!(OnChroma, ChromaGloss, Chroma, hnsw);
on!(OnMilvus, MilvusGloss, Milvus, hnsw);

// How many ids each takes at once: as many as are sent, the terms of an index, the parameters of the store under it.
beside!(PgBeside, PgSplit, PgVector, 1_000_000, hnsw);
beside!(ElasticBeside, ElasticSplit, Elasticsearch, 10_000, hnsw);
beside!(ChromaBeside, ChromaSplit, Chroma, 1_000_000, hnsw);
beside!(MilvusBeside, MilvusSplit, Milvus, 10_000, hnsw);

/// Waits until the index is built that a backend builds beside the writes.
pub async fn maintained(driver: &Arc<dyn Driver>, part: &Arc<Part>) -> Result<(), Failed> {
    if let Some(milvus) = driver.as_any().downcast_ref::<MilvusDriver>() {
        milvus.flush(part).await?;
        let start = Instant::now();
        while !milvus.is_indexed(part, "embedding").await && start.elapsed() < Duration::from_secs(900) {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        println!(
            "milvus: the index is built: {} (after {:.0} s)",
            milvus.is_indexed(part, "embedding").await,
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

fn eventual(url: &str) -> Milvus {
    Milvus::url(url).consistency(Consistency::Eventually)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let (subjects, kinds) = (["alone", "elsewhere", "hybrid"], ["pgvector", "elasticsearch", "chroma", "milvus"]);
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
            MilvusGloss::measure("milvus", url, &rows, eventual(url)).await?;
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
            MilvusSplit::measure("milvus", url, &rows, eventual(url)).await?;
        }
    }
    if wanted("hybrid", &subjects) {
        if let Some(url) = &pg {
            PgHybrid::measure("pgvector", None, &rows, InPg { main: PgVector::url(url) }).await?;
        }
        if let Some(url) = &es {
            ElasticHybrid::measure("elasticsearch", Some(url), &rows, InElastic { main: elastic(url) }).await?;
        }
        if let (Some(pg), Some(es)) = (&pg, &es) {
            let across = Across { words: elastic(es), vectors: PgVector::url(pg) };
            AcrossHybrid::measure("elasticsearch and pgvector", None, &rows, across).await?;
        }
    }
    Ok(())
}
