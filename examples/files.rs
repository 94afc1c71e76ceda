//! Files as a store: rows in JSON that any program reads, one file a record beside, changes from outside taken in.
//!
//! `cargo run --example files`

use heavenbase::prelude::*;

#[derive(Layout)]
struct Folder {
    #[layout(default)]
    rows: JsonFile,
    records: FileStore,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Folder)]
struct Note {
    object_id: Id,
    #[store(to = "rows")]
    title: String,
    #[store(to = "rows")]
    tags: Vec<String>,
    #[store(to = "records")]
    body: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let layout = || Folder { rows: JsonFile::dir(folder.path().join("rows")), records: FileStore::dir(folder.path().join("records")) };
    let ws = Workspace::open(layout()).await?;
    ws.register::<Note>().await?;

    let note = |id: &str, title: &str, tags: &[&str]| Note {
        object_id: Id::from(id),
        title: title.into(),
        tags: tags.iter().map(|t| (*t).to_owned()).collect(),
        body: Some(format!("All about {title}.")),
    };
    ws.upsert_many(&[note("n1", "Tea", &["kitchen"]), note("n2", "Spanners", &["garage", "tools"]), note("n3", "Pans", &["kitchen"])])
        .await?;

    let kitchen = ws.query::<Note>().filter(Note::TAGS.has("kitchen")).order_by(Note::TITLE.asc()).all().await?;
    println!("In the kitchen: {:?}", kitchen.iter().map(|n| &n.title).collect::<Vec<_>>());

    // Another workspace, as another process would: both see what the other wrote.
    let other = Workspace::open(layout()).await?;
    other.register::<Note>().await?;
    other.update("n1", Note::TITLE.set("Green tea")).await?;
    ws.refresh::<Note>().await?;
    println!("Changed by somebody else: {:?}", ws.get::<Note>("n1").await?.map(|n| n.title));

    println!("On disk:");
    for entry in walk(folder.path())? {
        println!("  {}", entry.strip_prefix(folder.path())?.display());
    }
    Ok(())
}

fn walk(folder: &std::path::Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(walk(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
