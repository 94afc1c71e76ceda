//! A hybrid beside each of its searches alone, and on Elasticsearch beside one by hand: both searches sent at once, and fused.

use std::collections::HashMap;

use heavenbase::prelude::*;
use heavenbase::query::{matching, near};

use crate::Failed;
use crate::filled::{filled, part_of};
use crate::race::{Contender, Found, Run, race, tell};
use crate::raw::Client;
use crate::rows::{Among, K, ROUNDS, Rows, id};

/// How far a hybrid of ten reads each of its lists.
const DEPTH: usize = 100;

/// Words to look for: some in many texts, some in few.
const TEXTS: &[&str] = &["the", "small", "genus", "made of", "plant", "capable of", "in the", "tropical american"];

/// Both searches at once, and the ids of the best by reciprocal rank.
async fn by_hand(client: &Client, target: &[f32], words: &str) -> Result<Vec<String>, Failed> {
    let (near, best) = tokio::try_join!(client.nearest(target, DEPTH, Among::All), client.matching(words, DEPTH))?;
    let mut fused: HashMap<String, f64> = HashMap::new();
    for list in [near, best] {
        for (rank, (id, _)) in list.into_iter().enumerate() {
            *fused.entry(id).or_default() += 1.0 / (61.0 + rank as f64);
        }
    }
    let mut fused: Vec<(String, f64)> = fused.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(fused.into_iter().take(K).map(|(id, _)| id).collect())
}

macro_rules! hybrid {
    ($layout:ident { $($(#[$meta:meta])* $backend:ident: $kind:ident),+ }, $entity:ident, $words:tt, $vectors:tt) => {
        #[derive(Layout)]
        pub struct $layout {
            $($(#[$meta])* pub $backend: $kind,)+
        }

        #[derive(Entity, Clone, Debug)]
        #[entity(layout = $layout, name = "bench_hybrid", owner = $words)]
        pub struct $entity {
            object_id: Id,
            #[store(to = $words, as = InvertedIndex)]
            gloss: String,
            #[store(to = $vectors, metric = "cosine", index = hnsw)]
            embedding: Vector<384>,
        }

        impl $entity {
            /// Fills the backends, and measures; beside a hybrid by hand where the address of the one server is given.
            pub async fn measure(name: &str, url: Option<&str>, rows: &Rows, layout: $layout) -> Result<(), Failed> {
                let row = |row: usize| -> Result<$entity, Failed> {
                    let embedding = Vector::try_from(rows.vectors[row].clone())?;
                    Ok($entity { object_id: Id::from(id(row)), gloss: rows.glosses[row].clone(), embedding })
                };
                let ws = filled(layout, rows.vectors.len(), row).await?;
                let client = match url {
                    Some(url) => Some(Client::connect("elasticsearch", url, &part_of::<$entity>(&ws, $words)?.table, rows).await?.lean()),
                    None => None,
                };
                let targets = rows.targets(ROUNDS / 2 + 2);
                for text in TEXTS {
                    let count = ws.query::<$entity>().filter($entity::GLOSS.matches(*text)).count().await?;
                    let (ws, targets) = (&ws, &targets);
                    let ids = |found: Vec<(Id, Score)>| found.into_iter().map(|(id, _)| id.as_str().to_owned()).collect();
                    let nearest = |k: usize| -> Run<'_> {
                        Box::new(move |at| {
                            Box::pin(async move {
                                let vector = Vector::<384>::try_from(targets[at].clone())?;
                                let found = ws.query::<$entity>().near($entity::EMBEDDING, &vector, k);
                                Ok(ids(found.select(($entity::OBJECT_ID, SCORE)).all().await?))
                            })
                        })
                    };
                    let best = |k: usize| -> Run<'_> {
                        Box::new(move |_| {
                            Box::pin(async move {
                                let found = ws.query::<$entity>().matching($entity::GLOSS, *text, k);
                                Ok(ids(found.select(($entity::OBJECT_ID, SCORE)).all().await?))
                            })
                        })
                    };
                    let mut contenders = vec![
                        Contender {
                            name: "hybrid",
                            run: Box::new(move |at| {
                                Box::pin(async move {
                                    let vector = Vector::<384>::try_from(targets[at].clone())?;
                                    let searches = [near($entity::EMBEDDING, &vector), matching($entity::GLOSS, *text)];
                                    let found = ws.query::<$entity>().hybrid(searches, K);
                                    Ok(ids(found.select(($entity::OBJECT_ID, SCORE)).all().await?))
                                })
                            }),
                        },
                        Contender { name: "near", run: nearest(K) },
                        Contender { name: "matching", run: best(K) },
                        Contender { name: "near 100", run: nearest(DEPTH) },
                        Contender { name: "matching 100", run: best(DEPTH) },
                    ];
                    if let Some(client) = &client {
                        let run = move |at: usize| -> Found<'_> { Box::pin(by_hand(client, &targets[at], text)) };
                        contenders.push(Contender { name: "by hand", run: Box::new(run) });
                    }
                    let runs = race(&contenders, &vec![Vec::new(); targets.len()]).await?;
                    tell(&format!("{name}, \"{text}\" in {count}"), &contenders, &runs);
                    let of_slower = |a: usize, b: usize| runs[0].median.as_secs_f64() / runs[a].median.max(runs[b].median).as_secs_f64();
                    println!("  {:.2} x the slower one, {:.2} x the slower one to its depth", of_slower(1, 2), of_slower(3, 4));
                }
                ws.drop::<$entity>().await?;
                Ok(())
            }
        }
    };
}

hybrid!(InElastic { main: Elasticsearch }, ElasticHybrid, "main", "main");
hybrid!(InPg { main: PgVector }, PgHybrid, "main", "main");
hybrid!(
    Across {
        #[layout(default)]
        words: Elasticsearch,
        vectors: PgVector
    },
    AcrossHybrid,
    "words",
    "vectors"
);
