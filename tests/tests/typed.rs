//! The typed way through: every logical type through the derive, over two backends, written, read, changed and asked for.
#![cfg(all(feature = "sqlite", feature = "json"))]

use heavenbase::prelude::*;
use heavenbase::{Error, ErrorKind};

#[derive(Layout)]
struct Store {
    #[layout(default)]
    main: Sqlite,
    memory: InMem,
    files: JsonFile,
}

#[derive(Category, Clone, Copy, Debug, PartialEq)]
enum Colour {
    Red,
    Green,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Store)]
struct Everything {
    object_id: Id,
    #[store(to = "main")]
    flag: bool,
    #[store(to = "main")]
    number: i64,
    #[store(to = "memory")]
    small: i8,
    #[store(to = "files")]
    wide: u32,
    #[store(to = "main")]
    float: f64,
    #[store(to = "memory")]
    short_float: f32,
    #[store(to = "files")]
    #[decimal(precision = 12, scale = 2)]
    amount: Decimal,
    #[store(to = "main", index)]
    #[text(max = 40)]
    title: String,
    #[store(to = "files")]
    bytes: Bytes,
    #[store(to = "main")]
    moment: Timestamp,
    #[store(to = "memory")]
    day: Date,
    #[store(to = "files")]
    span: Duration,
    #[store(to = "main")]
    token: Uuid,
    #[store(to = "memory")]
    payload: Json,
    #[store(to = "memory", metric = "cosine")]
    embedding: Option<Vector<3>>,
    #[store(to = "main")]
    tags: Vec<String>,
    #[store(to = "files")]
    sizes: Vec<i64>,
    #[store(to = "main")]
    colour: Colour,
    #[store(to = "files")]
    parent: Option<Ref<Everything>>,
    #[store(to = "memory")]
    note: Option<String>,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn row(number: i64) -> Result<Everything, Error> {
    Ok(Everything {
        object_id: Id::from(format!("e{number}")),
        flag: number % 2 == 0,
        number,
        small: i8::MIN,
        wide: u32::MAX,
        float: number as f64 / 2.0,
        short_float: 0.5,
        amount: Decimal::new(number * 100 + 5, 2),
        title: format!("it's {number} \u{1f600}"),
        bytes: Bytes(vec![0, 255, number as u8]),
        moment: Timestamp::from_micros(number)?,
        day: Date::new(2026, 11, 21)?,
        span: Duration::from_micros(-number),
        token: Uuid::from_u128(number as u128),
        payload: serde_json::json!({"n": number, "text": "1", "list": [1, 2.5, null]}),
        embedding: (number != 3).then(|| Vector::from([1.0, number as f32, 0.0])),
        tags: vec!["a".into(), "a".into(), format!("t{number}")],
        sizes: Vec::new(),
        colour: if number % 2 == 0 { Colour::Red } else { Colour::Green },
        parent: (number > 1).then(|| Ref::new(format!("e{}", number - 1))),
        note: (number % 3 == 0).then(|| String::from("")),
    })
}

async fn opened() -> Result<(Workspace<Store>, tempfile::TempDir), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let store = Store { main: Sqlite::memory(), memory: InMem::new(), files: JsonFile::dir(directory.path()) };
    let workspace = Workspace::open(store).await?;
    workspace.register::<Everything>().await?;
    Ok((workspace, directory))
}

async fn filled() -> Result<(Workspace<Store>, tempfile::TempDir), Box<dyn std::error::Error>> {
    let (ws, directory) = opened().await?;
    let rows = (1..=9).map(row).collect::<Result<Vec<_>, _>>()?;
    ws.upsert_many(&rows).await?;
    Ok((ws, directory))
}

#[tokio::test]
async fn a_row_of_every_type_comes_back_as_it_was() -> Outcome {
    let (ws, _directory) = opened().await?;
    let wrote = row(2)?;
    assert_eq!(ws.upsert(&wrote).await?, wrote.object_id);
    assert_eq!(ws.get::<Everything>("e2").await?, Some(wrote.clone()));
    assert_eq!(ws.query::<Everything>().all().await?, [wrote]);
    assert_eq!(ws.get::<Everything>("e3").await?, None);
    Ok(())
}

#[tokio::test]
async fn insert_refuses_and_upsert_replaces_the_whole_row() -> Outcome {
    let (ws, _directory) = filled().await?;
    let refused = ws.insert(&row(1)?).await.err().map(|error| error.kind());
    assert_eq!(refused, Some(ErrorKind::AlreadyExists));
    let mut changed = row(3)?;
    (changed.note, changed.parent, changed.tags) = (None, None, Vec::new());
    ws.upsert(&changed).await?;
    assert_eq!(ws.get::<Everything>("e3").await?, Some(changed));
    assert_eq!(ws.count::<Everything>().await?, 9);
    Ok(())
}

#[tokio::test]
async fn update_changes_what_it_names_on_every_backend() -> Outcome {
    let (ws, _directory) = filled().await?;
    let patch = Everything::NUMBER.set(70).and(Everything::SMALL.set(7)).and(Everything::TAGS.set(vec!["new".to_owned()]));
    assert!(ws.update::<Everything>("e4", patch.clone()).await?);
    assert!(!ws.update::<Everything>("absent", patch).await?);
    assert_eq!(ws.get::<Everything>("e4").await?, Some(Everything { number: 70, small: 7, tags: vec!["new".into()], ..row(4)? }));
    assert_eq!(ws.count::<Everything>().await?, 9);
    Ok(())
}

#[tokio::test]
async fn delete_says_whether_the_row_was_there() -> Outcome {
    let (ws, _directory) = filled().await?;
    assert!(ws.delete::<Everything>("e5").await?);
    assert!(!ws.delete::<Everything>("e5").await?);
    assert_eq!(ws.get::<Everything>("e5").await?, None);
    assert_eq!(ws.query::<Everything>().count().await?, 8);
    assert!(ws.audit::<Everything>().await?.is_clean());
    Ok(())
}

async fn matching(ws: &Workspace<Store>, predicate: Predicate<Everything>) -> Result<Vec<String>, Error> {
    Ok(ws.query::<Everything>().filter(predicate).ids().await?.into_iter().map(Id::into_string).collect())
}

#[tokio::test]
async fn every_type_is_asked_for_by_value() -> Outcome {
    let (ws, _directory) = filled().await?;
    let five = row(5)?;
    assert_eq!(matching(&ws, Everything::FLAG.eq(true)).await?, ["e2", "e4", "e6", "e8"]);
    assert_eq!(matching(&ws, Everything::NUMBER.between(4, 5)).await?, ["e4", "e5"]);
    assert_eq!(matching(&ws, Everything::SMALL.gt(-128)).await?.len(), 0);
    assert_eq!(matching(&ws, Everything::WIDE.eq(u32::MAX)).await?.len(), 9);
    assert_eq!(matching(&ws, Everything::FLOAT.lt(1.0)).await?, ["e1"]);
    assert_eq!(matching(&ws, Everything::AMOUNT.eq(five.amount)).await?, ["e5"]);
    assert_eq!(matching(&ws, Everything::TITLE.contains("'s 5")).await?, ["e5"]);
    assert_eq!(matching(&ws, Everything::BYTES.eq(&five.bytes)).await?, ["e5"]);
    assert_eq!(matching(&ws, Everything::MOMENT.gt(Timestamp::from_micros(8)?)).await?, ["e9"]);
    assert_eq!(matching(&ws, Everything::DAY.ne(five.day)).await?.len(), 0);
    assert_eq!(matching(&ws, Everything::SPAN.le(Duration::from_micros(-8))).await?, ["e8", "e9"]);
    assert_eq!(matching(&ws, Everything::TOKEN.eq(five.token)).await?, ["e5"]);
    assert_eq!(matching(&ws, Everything::PAYLOAD.path(["n"]).eq(5)).await?, ["e5"]);
    assert_eq!(matching(&ws, Everything::PAYLOAD.path(["text"]).eq(1)).await?.len(), 0);
    assert_eq!(matching(&ws, Everything::EMBEDDING.is_null()).await?, ["e3"]);
    assert_eq!(matching(&ws, Everything::TAGS.has("t5")).await?, ["e5"]);
    assert_eq!(matching(&ws, Everything::SIZES.len().eq(0)).await?.len(), 9);
    assert_eq!(matching(&ws, Everything::COLOUR.eq(Colour::Green)).await?.len(), 5);
    assert_eq!(matching(&ws, Everything::NOTE.ne("")).await?.len(), 6);
    Ok(())
}

#[tokio::test]
async fn conditions_on_three_backends_meet_in_one_answer() -> Outcome {
    let (ws, _directory) = filled().await?;
    let found = ws
        .query::<Everything>()
        .filter(Everything::NUMBER.ge(3) & Everything::AMOUNT.lt(Decimal::new(805, 2)) & !Everything::NOTE.eq(""))
        .order_by(Everything::NUMBER.desc())
        .limit(2)
        .select((Everything::OBJECT_ID, Everything::NUMBER, Everything::DAY))
        .all()
        .await?;
    let day = Date::new(2026, 11, 21)?;
    assert_eq!(found, [(Id::from("e7"), 7, day), (Id::from("e5"), 5, day)]);

    let nearest = ws.query::<Everything>().filter(Everything::FLAG.eq(true)).near(Everything::EMBEDDING, &Vector::from([1.0, 0.0, 0.0]), 2);
    assert_eq!(nearest.ids().await?, ["e2", "e4"]);
    Ok(())
}

#[tokio::test]
async fn pages_join_and_groups_count() -> Outcome {
    let (ws, _directory) = filled().await?;
    let query = ws.query::<Everything>().order_by(Everything::COLOUR.asc()).limit(4);
    let (mut ids, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = match cursor {
            Some(cursor) => query.clone().page_after(cursor).page().await?,
            None => query.page().await?,
        };
        ids.extend(page.rows.into_iter().map(|row| row.object_id.into_string()));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(ids, ["e1", "e3", "e5", "e7", "e9", "e2", "e4", "e6", "e8"]);

    let groups =
        ws.query::<Everything>().group_by(Everything::COLOUR, (COUNT, Everything::NUMBER.sum(), Everything::WIDE.min())).all().await?;
    let wide = Some(i64::from(u32::MAX));
    assert_eq!(groups, [(Colour::Green, (5, Some(25), wide)), (Colour::Red, (4, Some(20), wide))]);
    Ok(())
}

#[tokio::test]
async fn a_value_that_does_not_fit_is_refused_before_anything_is_written() -> Outcome {
    let (ws, _directory) = opened().await?;
    let bad = [
        Everything { title: "x".repeat(41), ..row(1)? },
        Everything { float: f64::NAN, ..row(1)? },
        Everything { amount: Decimal::new(1, 3), ..row(1)? },
        Everything { embedding: Some(Vector::from([0.0, 0.0, 0.0])), ..row(1)? },
        Everything { object_id: Id::from(" "), ..row(1)? },
    ];
    for row_of in bad {
        let refused = ws.upsert_many(&[row(2)?, row_of]).await.err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::InvalidValue));
    }
    assert_eq!(ws.count::<Everything>().await?, 0);
    Ok(())
}
