//! Near with a filter, everything on one backend: ours beside the same search by hand.

macro_rules! on {
    ($layout:ident, $entity:ident, $kind:ident $(, $index:ident)?) => {
        #[derive(Layout, Debug)]
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
            pub async fn measure(name: &str, url: &str, rows: &$crate::rows::Rows, main: $kind) -> Result<(), $crate::Failed> {
                let row = |row: usize| -> Result<$entity, $crate::Failed> {
                    let embedding = Vector::try_from(rows.vectors[row].clone())?;
                    Ok($entity { object_id: Id::from($crate::rows::id(row)), rank: rows.rank[row], embedding })
                };
                let ws = $crate::filled::filled($layout { main }, rows.vectors.len(), row).await?;
                let part = $crate::filled::part_of::<$entity>(&ws, "main")?;
                let driver = ws.driver("main").ok_or("no driver")?;
                $crate::maintained(&driver, &part).await?;
                let client = $crate::raw::Client::connect(driver.description().kind, url, &part.table, rows).await?;
                for percent in [100.0, 50.0, 10.0, 1.0, 0.1] {
                    let below = rows.below(percent);
                    let targets = rows.targets($crate::rows::ROUNDS + 2);
                    let best: Vec<Vec<String>> = targets.iter().map(|target| rows.best(target, below)).collect();
                    let (ws, client, targets) = (&ws, &client, &targets);
                    let contenders = [
                        $crate::race::Contender {
                            name: "ours",
                            run: Box::new(move |at| {
                                Box::pin(async move {
                                    let vector = Vector::<384>::try_from(targets[at].clone())?;
                                    let query = ws.query::<$entity>().near($entity::EMBEDDING, &vector, $crate::rows::K);
                                    let query = if percent == 100.0 { query } else { query.filter($entity::RANK.lt(below)) };
                                    let found = query.select(($entity::OBJECT_ID, SCORE)).all().await?;
                                    Ok(found.into_iter().map(|(id, _)| id.as_str().to_owned()).collect())
                                })
                            }),
                        },
                        $crate::race::Contender {
                            name: "raw",
                            run: Box::new(move |at| {
                                Box::pin(async move {
                                    let among = if percent == 100.0 { $crate::rows::Among::All } else { $crate::rows::Among::Below(below) };
                                    Ok(client.nearest(&targets[at], $crate::rows::K, among).await?.into_iter().map(|(id, _)| id).collect())
                                })
                            }),
                        },
                    ];
                    let runs = $crate::race::race(&contenders, &best).await?;
                    $crate::race::tell(&format!("{name}, filter {percent}%"), &contenders, &runs);
                }
                ws.drop::<$entity>().await?;
                Ok(())
            }
        }
    };
}

pub(crate) use on;
