//! A layout of one's own: a backend that is chosen at start, a copy of a text that is searched elsewhere, an audit.
//!
//! `cargo run --example custom_layout`

use heavenbase::backends::OneOf;
use heavenbase::prelude::*;
use heavenbase_examples::{films, show};

#[derive(Layout)]
struct Library {
    /// SQLite in production, memory on a laptop: only what both can do compiles.
    #[layout(default)]
    main: OneOf<(Sqlite, InMem)>,
    search: InMem,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Library)]
struct Film {
    #[id(from(title))]
    object_id: Id,
    /// True on `main`, searched on `search`.
    #[store(to = "main")]
    #[store(to = "search", as = InvertedIndex, copy)]
    title: String,
    #[store(to = "main", index)]
    rating: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let main = if std::env::args().any(|a| a == "--memory") { OneOf::new(InMem::new()) } else { OneOf::new(Sqlite::memory()) };
    let ws = Workspace::open(Library { main, search: InMem::new() }).await?;
    ws.register::<Film>().await?;
    let mut rows: Vec<Film> = films()?.into_iter().map(|f| Film { object_id: Id::auto(), title: f.title, rating: f.rating }).collect();
    rows.sort_by(|a, b| a.title.cmp(&b.title));
    rows.dedup_by(|a, b| a.title == b.title);
    ws.upsert_many(&rows).await?;

    let title = Film::TITLE.on(Library::SEARCH);
    let found = ws.query::<Film>().filter(title.matches("the lord of the") & Film::RATING.gt(7.0)).order_by(Film::RATING.desc());
    for film in found.all().await? {
        println!("{:>4}  {}", film.rating, film.title);
    }
    println!("{}", found.explain()?);

    let rebuilt = ws.rebuild::<Film>("search", show).await?;
    println!("{rebuilt} rows; audit finds {} things wrong", ws.audit::<Film>().await?.findings.len());
    Ok(())
}
