//! A server that runs less than its kind: what `register` and `capabilities` say of it, and what a query then does.

use heavenbase::capability::{Operation, Placement, Support, op, placement};
use heavenbase::driver::Narrowed;
use heavenbase::prelude::*;
use heavenbase::{ErrorKind, Result};
use heavenbase_tests::instrumented::Instrumented;

#[derive(Layout)]
struct One {
    main: Instrumented,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = One)]
struct Item {
    object_id: Id,
    title: String,
    rank: i64,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = One)]
struct Number {
    object_id: Id,
    n: i64,
}

const WHY: &str = "its library of patterns is missing: install it";

async fn open() -> Result<Workspace<One>> {
    let narrowed = Narrowed { class: "Text", placement: None, operation: Operation::Regex, reason: WHY.to_owned() };
    Workspace::open(One { main: Instrumented::new().0.narrowed(vec![narrowed]) }).await
}

#[tokio::test]
async fn register_reports_what_concerns_the_entity() -> Result<()> {
    let ws = open().await?;
    let done = ws.register::<Item>().await?;
    let said: Vec<_> = done[0].1.narrowed.iter().map(|n| (n.class, n.operation, n.reason.as_str())).collect();
    assert_eq!(said, [("Text", Operation::Regex, WHY)]);
    assert!(ws.register::<Number>().await?[0].1.narrowed.is_empty(), "an entity without text is told of text");
    Ok(())
}

#[tokio::test]
async fn capabilities_are_those_of_the_server() -> Result<()> {
    let ws = open().await?;
    let says = ws.capabilities();
    assert_eq!(says.supports::<String>(op::Regex, placement::InlineColumn, "main"), Support::Scan);
    assert_eq!(says.supports::<String>(op::Like, placement::InlineColumn, "main"), Support::Native);
    assert_eq!(says.backends::<String>(op::Regex), [("main", Support::Scan)]);
    assert_eq!(says.backends::<String>(op::Like), [("main", Support::Native)]);
    assert!(says.ops::<String>(Placement::InlineColumn, "main").contains(&(Operation::Regex, Support::Scan)));
    assert_eq!(says.narrowed("main").len(), 1);
    // What the compiler goes by is the kind's.
    assert_eq!(heavenbase::capability::supports::<String>(op::Regex, placement::InlineColumn, "inmem"), Support::Native);
    Ok(())
}

#[tokio::test]
async fn a_query_that_needs_it_is_refused_or_scans() -> Result<()> {
    let ws = open().await?;
    ws.register::<Item>().await?;
    let items: Vec<Item> =
        (0..50).map(|n| Item { object_id: Id::from(format!("i{n:02}")), title: format!("title {n}"), rank: n }).collect();
    ws.upsert_many(&items).await?;
    let refused = ws.query::<Item>().filter(Item::TITLE.regex("e [0-9]$")).all().await.unwrap_err();
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::Unsupported, Some("title")));
    assert!(refused.to_string().contains(WHY) && refused.to_string().contains("scan"), "{refused}");
    let found = ws.query::<Item>().filter(Item::TITLE.scan().regex("e [0-9]$") & Item::RANK.ge(5)).limit(3).all().await?;
    assert_eq!(found, items[5..8]);
    assert_eq!(ws.query::<Item>().filter(Item::TITLE.like("title _")).count().await?, 10, "what it runs, it runs");
    Ok(())
}
