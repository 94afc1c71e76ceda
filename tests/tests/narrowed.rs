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

/// A real node that passes for an older one: what it lacks is narrowed, and what it keeps is right all the same.
#[cfg(feature = "elasticsearch")]
mod elasticsearch {
    use heavenbase::backends::elasticsearch::Refresh;
    use heavenbase_tests::peer::{Answer, How, serve};

    use super::*;

    #[derive(Layout)]
    struct Old {
        search: Elasticsearch,
    }

    #[derive(Entity, Clone, Debug, PartialEq)]
    #[entity(layout = Old, options(search(refresh = "immediate")))]
    struct Place {
        object_id: Id,
        n: i64,
        #[store(metric = "l2")]
        at: Option<Vector<2>>,
        #[store(metric = "cosine", index = hnsw)]
        toward: Option<Vector<2>>,
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_version_narrows_what_is_native() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let Ok(address) = std::env::var("HEAVENBASE_TEST_ELASTICSEARCH") else {
            eprintln!("not run: HEAVENBASE_TEST_ELASTICSEARCH is not set");
            return Ok(());
        };
        let host = address.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let old = serve(move |request| match request.target.trim_matches('/').is_empty() {
            true => Answer::of(200, r#"{"version":{"number":"8.12.2"}}"#),
            false => Answer::none().sent(How::Bytes(request.ask(&host).unwrap_or_default())),
        })?;
        let namespace = heavenbase_tests::conformance::namespace();
        let ws =
            Workspace::open_as(&namespace, Old { search: Elasticsearch::url(format!("http://{old}")).refresh(Refresh::WaitFor) }).await?;
        assert_eq!(ws.backends().engine("search").as_deref(), Some("Elasticsearch 8.12.2"));
        let done = ws.register::<Place>().await?;
        let said: Vec<_> = done[0].1.narrowed.iter().map(|n| (n.class, n.placement, n.operation)).collect();
        assert_eq!(said, [("Vector", Some(Placement::VectorIndex), Operation::Near)]);
        let says = ws.capabilities();
        assert_eq!(says.supports::<Vector<2>>(op::Near, placement::VectorIndex, "search"), Support::Scan);
        let row = |n: i64| Place {
            object_id: Id::from(format!("p{n:03}")),
            n,
            at: (n % 5 != 4).then(|| Vector::from([n as f32, 0.0])),
            toward: Some(Vector::from([1.0, n as f32])),
        };
        let rows: Vec<Place> = (0..200).map(row).collect();
        ws.upsert_many(&rows).await?;
        assert_eq!(ws.query::<Place>().all().await?, rows);
        let target = Vector::from([3.2, 0.0]);
        let near = ws.query::<Place>().near(Place::AT, &target, 3);
        let refused = near.clone().all().await.unwrap_err();
        assert_eq!((refused.kind(), refused.field()), (ErrorKind::Unsupported, Some("at")));
        assert!(refused.to_string().contains("8.13"), "{refused}");
        assert_eq!(near.scan().all().await?, [rows[3].clone(), rows[2].clone(), rows[5].clone()]);
        let both = ws.query::<Place>().filter(Place::N.ge(100)).near(Place::TOWARD, &Vector::from([1.0, 0.0]), 2).scan().all().await?;
        assert_eq!(both, rows[100..102]);
        // The server of today does not take such an index for one of its own.
        let today = Workspace::open_as(&namespace, Old { search: Elasticsearch::url(&address) }).await?;
        assert_eq!(today.register::<Place>().await.unwrap_err().kind(), ErrorKind::SchemaMismatch);
        assert!(ws.drop::<Place>().await?);
        Ok(())
    }

    #[derive(Entity, Clone, Debug, PartialEq)]
    #[entity(layout = Old, options(search(refresh = "never")))]
    struct Wrong {
        object_id: Id,
        n: i64,
    }

    #[tokio::test]
    async fn an_option_that_is_none_is_refused() -> std::result::Result<(), Box<dyn std::error::Error>> {
        let Ok(address) = std::env::var("HEAVENBASE_TEST_ELASTICSEARCH") else { return Ok(()) };
        let ws = Workspace::open(Old { search: Elasticsearch::url(&address) }).await?;
        let refused = ws.register::<Wrong>().await.unwrap_err();
        assert_eq!((refused.kind(), refused.backend()), (ErrorKind::InvalidSchema, Some("search")));
        assert!(refused.to_string().contains("wait_for, immediate or before_search"), "{refused}");
        Ok(())
    }
}
