//! Vectors that follow from text: embedded when a row is written, again when its text changes, and searched by text.
//!
//! `cargo run --example embeddings`

use heavenbase::embedding::Embedder;
use heavenbase::prelude::*;
use heavenbase_examples::{feature_hash, films, show};

/// In the place of a model: words and word parts, hashed. See `embeddings_http` for a real one.
struct FeatureHash;

impl Embedder for FeatureHash {
    fn model(&self) -> &str {
        "feature-hash-1"
    }

    fn dimensions(&self) -> usize {
        256
    }

    async fn embed(&self, texts: &[&str]) -> heavenbase::Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| feature_hash::<256>(text).to_vec()).collect())
    }
}

#[derive(Layout)]
struct Cinema {
    #[layout(default)]
    main: Sqlite,
    vectors: InMem,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Cinema)]
struct Film {
    #[id(from(title, director))]
    object_id: Id,
    title: String,
    director: String,
    genre: String,
    rating: f64,
    /// What the struct holds is ignored: the workspace's embedder computes it from these three.
    #[compute(embed, from(title, director, genre))]
    #[store(to = "vectors")]
    flavour: Option<Vector<256>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cinema = Cinema { main: Sqlite::memory(), vectors: InMem::new() };
    let ws = Workspace::open(cinema).await?.with_embedder("default", FeatureHash);
    ws.register::<Film>().await?;
    let mut rows: Vec<Film> = films()?
        .into_iter()
        .map(|f| Film { object_id: Id::auto(), title: f.title, director: f.director, genre: f.genre, rating: f.rating, flavour: None })
        .collect();
    rows.sort_by(|a, b| (&a.title, &a.director).cmp(&(&b.title, &b.director)));
    rows.dedup_by(|a, b| (&a.title, &a.director) == (&b.title, &b.director));
    let ids = ws.upsert_many(&rows).await?;
    println!("{} films embedded", ids.len());

    let best = ws.query::<Film>().filter(Film::RATING.gt(7.0)).near_text(Film::FLAVOUR, "dark knights by Christopher Nolan", 5);
    for (score, title, director) in best.clone().select((SCORE, Film::TITLE, Film::DIRECTOR)).all().await? {
        println!("  {:.3}  {title}  ({director})", score.0);
    }
    println!("{}", best.explain()?);

    // Another title: the vector follows. Another rating: nothing is embedded.
    ws.update(ids[0].clone(), Film::TITLE.set("The Darkest Knight").and(Film::RATING.set(9.9))).await?;
    let first = ws.query::<Film>().near_text(Film::FLAVOUR, "the darkest knight", 1).select(Film::TITLE).one().await?;
    println!("\nafter an update the nearest to “the darkest knight” is “{first}”");

    // What was written under another model is found, and made anew.
    let rebuilt = ws.rebuild::<Film>("vectors", show).await?;
    println!("\n{rebuilt} rows looked at; audit finds {} things wrong", ws.audit::<Film>().await?.findings.len());
    Ok(())
}
