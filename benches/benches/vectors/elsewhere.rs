//! Near with a filter whose field lies on SQLite: ours beside the two ways to do it by hand.

use std::path::Path;

use crate::Failed;
use crate::raw::Client;
use crate::rows::{Among, K};

/// The side of SQLite by hand.
pub struct Numbers {
    connection: rusqlite::Connection,
    table: String,
}

impl Numbers {
    pub fn open(file: &Path, table: &str) -> Result<Numbers, Failed> {
        Ok(Numbers { connection: rusqlite::Connection::open(file)?, table: table.to_owned() })
    }

    fn below(&self, below: i64) -> Result<Vec<String>, Failed> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT object_id FROM \"{}\" WHERE rank < ?1", self.table))?;
        Ok(statement.query_map([below], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    fn kept(&self, below: i64, ids: &[String]) -> Result<Vec<String>, Failed> {
        let text = format!("SELECT object_id FROM \"{}\" WHERE rank < ?1 AND object_id IN (SELECT value FROM json_each(?2))", self.table);
        let mut statement = self.connection.prepare_cached(&text)?;
        Ok(statement.query_map(rusqlite::params![below, serde_json::to_string(ids)?], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

/// The ids that match first, then the nearest among them.
pub async fn pushed(numbers: &Numbers, client: &Client, target: &[f32], below: i64) -> Result<Vec<String>, Failed> {
    let ids = numbers.below(below)?;
    Ok(client.nearest(target, K, Among::Ids(&ids)).await?.into_iter().map(|(id, _)| id).collect())
}

/// The nearest first, more than are wanted, then those of them that match; more again until there are enough.
pub async fn over_fetched(numbers: &Numbers, client: &Client, target: &[f32], below: i64, all: usize) -> Result<Vec<String>, Failed> {
    let most = all.min(10_000);
    let mut k = (K * all * 3 / 2 / below as usize + 16).min(most);
    loop {
        let hits: Vec<String> = client.nearest(target, k, Among::All).await?.into_iter().map(|(id, _)| id).collect();
        let kept: std::collections::HashSet<String> = numbers.kept(below, &hits)?.into_iter().collect();
        if kept.len() >= K || k == most {
            return Ok(hits.into_iter().filter(|id| kept.contains(id)).take(K).collect());
        }
        k = (k * 4).min(most);
    }
}

macro_rules! beside {
    ($layout:ident, $entity:ident, $kind:ident, $most_pushed:literal $(, $index:ident)?) => {
        #[derive(Layout, Debug)]
        pub struct $layout {
            #[layout(default)]
            pub main: Sqlite,
            pub vectors: $kind,
        }

        #[derive(Entity, Clone, Debug)]
        #[entity(layout = $layout, name = "bench_split")]
        pub struct $entity {
            object_id: Id,
            #[store(to = "main", index)]
            rank: i64,
            #[store(to = "vectors", metric = "cosine" $(, index = $index)?)]
            embedding: Vector<384>,
        }

        impl $entity {
            /// Fills both backends, and measures.
            pub async fn measure(name: &str, url: &str, rows: &$crate::rows::Rows, vectors: $kind) -> Result<(), $crate::Failed> {
                let directory = tempfile::tempdir()?;
                let file = directory.path().join("numbers.db");
                let row = |row: usize| -> Result<$entity, $crate::Failed> {
                    let embedding = Vector::try_from(rows.vectors[row].clone())?;
                    Ok($entity { object_id: Id::from($crate::rows::id(row)), rank: rows.rank[row], embedding })
                };
                let ws = $crate::filled::filled($layout { main: Sqlite::file(&file), vectors }, rows.vectors.len(), row).await?;
                let numbers = $crate::elsewhere::Numbers::open(&file, &$crate::filled::part_of::<$entity>(&ws, "main")?.table)?;
                let table = $crate::filled::part_of::<$entity>(&ws, "vectors")?.table.clone();
                let driver = ws.driver("vectors").ok_or("no driver")?;
                $crate::maintained(&driver, &$crate::filled::part_of::<$entity>(&ws, "vectors")?).await?;
                let client = $crate::raw::Client::connect(driver.description().kind, url, &table, rows).await?;
                let all = rows.vectors.len();
                for percent in [50.0, 10.0, 1.0, 0.1] {
                    let below = rows.below(percent);
                    let targets = rows.targets($crate::rows::ROUNDS / 2 + 2);
                    let best: Vec<Vec<String>> = targets.iter().map(|target| rows.best(target, below)).collect();
                    let (ws, client, numbers, targets) = (&ws, &client, &numbers, &targets);
                    let mut contenders = vec![
                        $crate::race::Contender {
                            name: "ours",
                            run: Box::new(move |at| {
                                Box::pin(async move {
                                    let vector = Vector::<384>::try_from(targets[at].clone())?;
                                    let query = ws.query::<$entity>().filter($entity::RANK.lt(below));
                                    let found =
                                        query.near($entity::EMBEDDING, &vector, $crate::rows::K).select(($entity::OBJECT_ID, SCORE)).all().await?;
                                    Ok(found.into_iter().map(|(id, _)| id.as_str().to_owned()).collect())
                                })
                            }),
                        },
                        $crate::race::Contender {
                            name: "over-fetched",
                            run: Box::new(move |at| Box::pin($crate::elsewhere::over_fetched(numbers, client, &targets[at], below, all))),
                        },
                    ];
                    if below <= $most_pushed {
                        let run = move |at: usize| -> $crate::race::Found<'_> { Box::pin($crate::elsewhere::pushed(numbers, client, &targets[at], below)) };
                        contenders.push($crate::race::Contender { name: "pushed", run: Box::new(run) });
                    }
                    let runs = $crate::race::race(&contenders, &best).await?;
                    $crate::race::tell(&format!("{name}, filter elsewhere {percent}%"), &contenders, &runs);
                }
                ws.drop::<$entity>().await?;
                Ok(())
            }
        }
    };
}

pub(crate) use beside;
