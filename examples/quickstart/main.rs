//! One struct over three stores: scalars in SQLite, the raw record in JSON files, a vector in a second SQLite file.
//!
//! `cargo run --example quickstart`

use heavenbase::prelude::*;
use heavenbase_examples::{FilmRecord, feature_hash, films};

/// The stores of this program. A field's type is the kind of store, its value the connection.
#[derive(Layout)]
struct Cinema {
    #[layout(default)]
    main: Sqlite,
    records: JsonFile,
    vectors: Sqlite,
}

/// One film: each field says where it lies.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Cinema)]
struct Film {
    #[id(from(title, released))]
    object_id: Id,
    #[store(to = "main", index)]
    #[text(max = 255)]
    title: String,
    #[store(to = "main", index)]
    released: Date,
    #[store(to = "main", index)]
    genre: String,
    #[store(to = "main", index)]
    rating: f64,
    #[store(to = "main")]
    gross: Option<i64>,
    #[store(to = "records")]
    record: Json,
    #[store(to = "vectors", metric = "cosine")]
    flavour: Vector<128>,
}

impl Film {
    fn new(record: &FilmRecord) -> Result<Film, Box<dyn std::error::Error>> {
        let source = record.source.as_deref().unwrap_or_default();
        Ok(Film {
            object_id: Id::auto(),
            title: record.title.clone(),
            released: record.released.parse()?,
            genre: record.genre.clone(),
            rating: record.rating,
            gross: record.gross,
            flavour: feature_hash(&format!("{} {} {} {source}", record.title, record.genre, record.director)),
            record: serde_json::to_value(record)?,
        })
    }
}

fn cinema(folder: &std::path::Path) -> Cinema {
    Cinema {
        main: Sqlite::file(folder.join("films.db")),
        records: JsonFile::dir(folder.join("records")),
        vectors: Sqlite::file(folder.join("vectors.db")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let ws = Workspace::open(cinema(folder.path())).await?;
    ws.register::<Film>().await?;

    let rows = films()?.iter().map(Film::new).collect::<Result<Vec<_>, _>>()?;
    let started = std::time::Instant::now();
    let ids = ws.upsert_many(&rows).await?;
    heading(&format!("{} films over {} in {} ms", ids.len(), ws.backends().names().join(", "), started.elapsed().as_millis()));

    heading("the best since 2000 that are original adventures or dramas from books: genre on SQLite, source in the JSON record");
    let source = || Film::RECORD.path(["source"]);
    let kinds =
        Film::GENRE.eq("Adventure") & source().eq("Original Screenplay") | Film::GENRE.eq("Drama") & source().starts_with("Based on Book");
    let best = ws
        .query::<Film>()
        .filter(kinds & Film::RELEASED.ge("2000-01-01".parse::<Date>()?))
        .order_by(Film::RATING.desc())
        .limit(5)
        .select((Film::TITLE, Film::RATING, Film::RECORD))
        .all()
        .await?;
    for (title, rating, record) in &best {
        println!("  {rating:>4}  {title}  ({})", record["director"].as_str().unwrap_or("?"));
    }

    heading("films that taste like “The Dark Knight”, rated above 7: vectors in one file, ratings in another");
    let taste = feature_hash::<128>("The Dark Knight Action Christopher Nolan Based on Comic/Graphic Novel");
    let near = ws.query::<Film>().filter(Film::RATING.gt(7.0)).near(Film::FLAVOUR, &taste, 5);
    for (score, title, rating) in near.clone().select((SCORE, Film::TITLE, Film::RATING)).all().await? {
        println!("  {:.3}  {title}  ({rating})", score.0);
    }

    heading("by genre, where there are at least 40");
    let genres = ws
        .query::<Film>()
        .group_by(Film::GENRE, (COUNT, Film::RATING.avg(), Film::GROSS.max()))
        .having(COUNT.of::<Film>().ge(40))
        .all()
        .await?;
    for (genre, (count, rating, gross)) in genres {
        println!("  {genre:<20} {count:>4} films, rated {:.2}, up to $ {}M", rating.unwrap_or(0.0), gross.unwrap_or(0) / 1_000_000);
    }

    heading("how the taste query ran");
    println!("{}", near.explain_analyze().await?);

    heading("closed, opened again, everything is there");
    drop(ws);
    let ws = Workspace::open(cinema(folder.path())).await?;
    ws.register::<Film>().await?;
    let first = ws.get::<Film>(ids[0].clone()).await?;
    assert_eq!(first.as_ref().map(|f| &f.title), Some(&rows[0].title));
    println!("  {} films; the first is “{}”; audit: {:?}", ws.count::<Film>().await?, rows[0].title, ws.audit::<Film>().await?.findings);
    Ok(())
}

fn heading(text: &str) {
    println!("\n\u{1b}[1m{text}\u{1b}[0m");
}
