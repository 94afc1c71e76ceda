//! Vectors from a service that speaks the common embeddings API: one that runs on this machine, or one that is paid for.
//!
//! `EMBEDDINGS_ADDRESS=http://127.0.0.1:8080/v1 EMBEDDINGS_MODEL=… EMBEDDINGS_KEY=… cargo run --example embeddings_http
//! --features embeddings_http`

use heavenbase::embedding::EmbeddingsHttp;
use heavenbase::prelude::*;
use heavenbase_examples::films;

#[derive(Layout)]
struct Cinema {
    main: Sqlite,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Cinema)]
struct Film {
    #[id(from(title, director))]
    object_id: Id,
    title: String,
    director: String,
    /// As many numbers as the model's vectors have.
    #[compute(embed, from(title, director))]
    flavour: Option<Vector<384>>,
}

/// The service that the environment names.
fn embedder() -> Result<EmbeddingsHttp, std::env::VarError> {
    let service = EmbeddingsHttp::new(std::env::var("EMBEDDINGS_ADDRESS")?, std::env::var("EMBEDDINGS_MODEL")?, 384);
    // A service on this machine may want no key.
    Ok(match std::env::var("EMBEDDINGS_KEY") {
        Ok(key) => service.key(key),
        Err(_) => service,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Ok(service) = embedder() else {
        println!("set EMBEDDINGS_ADDRESS and EMBEDDINGS_MODEL (384 numbers a vector), and EMBEDDINGS_KEY where one is needed");
        return Ok(());
    };
    let ws = Workspace::open(Cinema { main: Sqlite::file("films.db") }).await?.with_embedder("default", service.connect()?);
    ws.register::<Film>().await?;
    let mut rows: Vec<Film> = films()?
        .into_iter()
        .take(200)
        .map(|f| Film { object_id: Id::auto(), title: f.title, director: f.director, flavour: None })
        .collect();
    rows.sort_by(|a, b| (&a.title, &a.director).cmp(&(&b.title, &b.director)));
    rows.dedup_by(|a, b| (&a.title, &a.director) == (&b.title, &b.director));
    // Run it twice: the second time nothing is asked for, the texts are those of the vectors that are stored.
    ws.upsert_many(&rows).await?;
    let nearest = ws.query::<Film>().near_text(Film::FLAVOUR, "a robot learns to feel", 5).select((SCORE, Film::TITLE));
    for (score, title) in nearest.all().await? {
        println!("  {:.3}  {title}", score.0);
    }
    Ok(())
}
