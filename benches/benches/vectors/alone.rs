//! Near with a filter, everything on one backend: ours beside the same search by hand.

use heavenbase::prelude::*;

use crate::race::{Contender, race, tell};
use crate::raw::{Among, Client};
use crate::rows::{Rows, id};
use crate::{Failed, K, ROUNDS, filled, maintained, part_of};

macro_rules! on {
    ($layout:ident, $entity:ident, $kind:ident $(, $index:ident)?) => {
        #[derive(Layout)]
        pub struct $layout {
            pub main: $kind,
        }

        #[derive(Entity, Clone, Debug)]
        #[entity(layout = $layout, name = "bench_gloss")]
        pub struct $entity {
            object_id: Id,
            rank: i64,
            #[store(metric = "cosine" $(, index = $index)?)]
            embedding: Vector<384>,
        }

        impl $entity {
            /// Fills the backend, and measures.
            pub async fn measure(name: &str, url: &str, rows: &Rows, main: $kind) -> Result<(), Failed> {
                let row = |row: usize| -> Result<$entity, Failed> {
                    let embedding = Vector::try_from(rows.vectors[row].clone())?;
                    Ok($entity { object_id: Id::from(id(row)), rank: rows.rank[row], embedding })
                };
                let ws = filled($layout { main }, rows.vectors.len(), row).await?;
                let part = part_of::<$entity>(&ws, "main")?;
                let driver = ws.driver("main").ok_or("no driver")?;
                maintained(&driver, &part).await?;
                let client = Client::connect(driver.description().kind, url, &part.table, rows).await?;
                for percent in [100.0, 50.0, 10.0, 1.0, 0.1] {
                    let below = rows.below(percent);
                    let targets = rows.targets(ROUNDS + 2);
                    let best: Vec<Vec<String>> = targets.iter().map(|target| rows.best(target, below)).collect();
                    let (ws, client, targets) = (&ws, &client, &targets);
                    let contenders = [
                        Contender {
                            name: "ours",
                            run: Box::new(move |at| {
                                Box::pin(async move {
                                    let vector = Vector::<384>::try_from(targets[at].clone())?;
                                    let query = ws.query::<$entity>().near($entity::EMBEDDING, &vector, K);
                                    let query = if percent == 100.0 { query } else { query.filter($entity::RANK.lt(below)) };
                                    let found = query.select(($entity::OBJECT_ID, SCORE)).all().await?;
                                    Ok(found.into_iter().map(|(id, _)| id.as_str().to_owned()).collect())
                                })
                            }),
                        },
                        Contender {
                            name: "raw",
                            run: Box::new(move |at| {
                                Box::pin(async move {
                                    let among = if percent == 100.0 { Among::All } else { Among::Below(below) };
                                    Ok(client.nearest(&targets[at], K, among).await?.into_iter().map(|(id, _)| id).collect())
                                })
                            }),
                        },
                    ];
                    let runs = race(&contenders, &best).await?;
                    tell(&format!("{name}, filter {percent}%"), &contenders, &runs);
                }
                ws.drop::<$entity>().await?;
                Ok(())
            }
        }
    };
}

on!(OnPg, PgGloss, PgVector, hnsw);
on!(OnElastic, ElasticGloss, Elasticsearch, hnsw);
on!(OnElasticFlat, ElasticFlat, Elasticsearch, flat);
on!(OnChroma, ChromaGloss, Chroma, hnsw);
on!(OnMilvus, MilvusGloss, Milvus, hnsw);
on!(OnMemory, MemoryGloss, InMem);
on!(OnSqlite, SqliteGloss, Sqlite);
#[cfg(feature = "lance")]
pub mod lance {
    use super::*;

    on!(OnLance, LanceGloss, Lance);
    on!(OnLanceLists, LanceLists, Lance, ivf_flat);
    on!(OnLanceProduct, LanceProduct, Lance, ivf_pq);
    on!(OnLanceGraph, LanceGraph, Lance, hnsw);
}
