//! The whole way: entities over Elasticsearch and memory.

use heavenbase::backends::elasticsearch::Refresh;
use heavenbase::backends::{Elasticsearch, InMem};
use heavenbase::prelude::*;

use crate::common::{address, namespace};

#[derive(Layout)]
struct Library {
    #[layout(default)]
    main: Elasticsearch,
    memory: InMem,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Library)]
struct Book {
    object_id: Id,
    #[store(to = "main")]
    title: String,
    #[store(to = "main", as = InvertedIndex)]
    body: Option<String>,
    #[store(to = "main")]
    pages: i64,
    #[store(to = "memory")]
    price: f64,
    #[store(to = "main")]
    tags: Vec<String>,
    #[store(to = "main", metric = "cosine")]
    flavour: Option<Vector<4>>,
    #[store(to = "memory")]
    notes: Json,
}

fn book(n: i64) -> Book {
    Book {
        object_id: Id::from(format!("b{n:04}")),
        title: format!("Title {}", n % 50),
        body: (n % 3 != 0).then(|| format!("The story of number {n}, told slowly")),
        pages: n,
        price: n as f64 / 2.0,
        tags: if n % 2 == 0 { vec!["even".into(), format!("mod{}", n % 5)] } else { Vec::new() },
        flavour: (n % 7 != 0).then(|| Vector::from([1.0, n as f32, 0.5, -1.0])),
        notes: serde_json::json!({ "n": n }),
    }
}

#[tokio::test]
async fn an_entity_lies_on_elasticsearch_and_memory_as_one() {
    let Some(address) = address("workspace") else { return };
    let layout = Library { main: Elasticsearch::url(address).refresh(Refresh::BeforeSearch), memory: InMem::new() };
    let ws = Workspace::open_as(&namespace(), layout).await.unwrap();
    ws.register::<Book>().await.unwrap();
    let books: Vec<Book> = (0..2_500).map(book).collect();
    ws.insert_many(&books).await.unwrap();
    assert_eq!(ws.count::<Book>().await.unwrap(), 2_500);
    assert_eq!(ws.get::<Book>("b0042").await.unwrap(), Some(book(42)));
    assert_eq!(ws.get::<Book>("nobody").await.unwrap(), None);

    let both = Book::PAGES.ge(1_000) & Book::PRICE.lt(600.0) & Book::TAGS.has("even");
    let found = ws.query::<Book>().filter(both).order_by(Book::PAGES.desc()).all().await.unwrap();
    let expected: Vec<Book> = books.iter().rev().filter(|b| b.pages >= 1_000 && b.price < 600.0 && b.pages % 2 == 0).cloned().collect();
    assert_eq!(found, expected, "filters on both, ordered by one");

    let told = ws.query::<Book>().filter(Book::BODY.matches("number 77 STORY")).all().await.unwrap();
    assert_eq!(told, [book(77)]);
    let like = ws.query::<Book>().filter(Book::TITLE.scan().like("%_7")).count().await.unwrap();
    assert_eq!(like, books.iter().filter(|b| b.title.ends_with('7') && b.title.len() > 1).count() as u64);

    let from = Vector::from([1.0, 3.0, 0.5, -1.0]);
    let near = ws
        .query::<Book>()
        .filter(Book::PRICE.gt(100.0))
        .near(Book::FLAVOUR, &from, 5)
        .select((Book::OBJECT_ID, SCORE))
        .all()
        .await
        .unwrap();
    assert_eq!(near.len(), 5);
    let mut expected: Vec<(f64, Id)> = books
        .iter()
        .filter(|b| b.price > 100.0)
        .filter_map(|b| Some((heavenbase::types::Metric::Cosine.score(&*from, &**b.flavour.as_ref()?), b.object_id.clone())))
        .collect();
    expected.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    assert!(near.iter().map(|(id, _)| id).eq(expected[..5].iter().map(|(_, id)| id)), "near with a filter that lies elsewhere");

    assert!(ws.update("b0042", Book::PAGES.set(7).and(Book::PRICE.set(0.25))).await.unwrap());
    let changed = ws.get::<Book>("b0042").await.unwrap().unwrap();
    assert_eq!((changed.pages, changed.price, changed.title), (7, 0.25, book(42).title));
    assert!(ws.delete::<Book>("b0001").await.unwrap() && !ws.delete::<Book>("b0001").await.unwrap());
    assert_eq!(ws.query::<Book>().all().await.unwrap().len(), 2_499);

    let audit = ws.audit::<Book>().await.unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    let explained = ws.query::<Book>().filter(Book::TITLE.eq("a secret")).explain().unwrap().to_string();
    assert!(explained.contains("_search"), "{explained}");
    assert!(ws.drop::<Book>().await.unwrap());
}
