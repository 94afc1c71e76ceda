use heavenbase::prelude::*;
use heavenbase_tests::backends::Tested;
use heavenbase_tests::chosen::Chosen;
use heavenbase_tests::random::Random;

use crate::Outcome;

#[derive(Layout)]
struct One {
    main: Chosen,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = One)]
struct Counted {
    object_id: Id,
    number: i64,
    #[store(metric = "l2")]
    place: Option<Vector<4>>,
}

/// 30,000 rows that match come back as 30,000, through the workspace: of a query for all, of a filter, of a stream, counted.
pub async fn thirty_thousand(tested: Tested) -> Outcome {
    const ROWS: i64 = 30_000;
    // Its directory lives as long as this does.
    let chosen = Chosen::new(tested)?;
    let ws = Workspace::open_as(&heavenbase_tests::conformance::namespace(), One { main: chosen.clone() }).await?;
    ws.register::<Counted>().await?;
    let place = |n: i64| Vector::from([n as f32, (n % 7) as f32, 1.0, -0.5]);
    let row = |n: i64| Counted { object_id: Id::from(format!("c{n:05}")), number: n, place: (n % 10 != 3).then(|| place(n)) };
    let rows: Vec<Counted> = (0..ROWS).map(row).collect();
    let mut mixed = rows.clone();
    Random::new(3).shuffle(&mut mixed);
    for chunk in mixed.chunks(10_000) {
        ws.upsert_many(chunk).await?;
    }
    let all = ws.query::<Counted>().all().await?;
    assert!(all == rows, "{} rows, or other ones", all.len());
    let matching = ws.query::<Counted>().filter(Counted::NUMBER.ge(0)).all().await?;
    assert!(matching == rows, "{} rows match, or other ones", matching.len());
    assert_eq!(ws.query::<Counted>().filter(Counted::NUMBER.lt(25_000)).ids().await?.len(), 25_000);
    assert_eq!(ws.query::<Counted>().filter(Counted::NUMBER.ge(5)).count().await?, 29_995);
    let mut stream = ws.query::<Counted>().filter(Counted::NUMBER.ne(-1)).stream().await?;
    let mut streamed = 0;
    while let Some(row) = stream.next().await? {
        assert_eq!(row, rows[streamed]);
        streamed += 1;
    }
    assert_eq!(streamed, rows.len());
    assert_eq!(ws.query::<Counted>().filter(Counted::NUMBER.ge(1)).near(Counted::PLACE, &place(9), 10_000).ids().await?.len(), 10_000);
    ws.drop::<Counted>().await?;
    Ok(())
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = One)]
struct Mixed {
    object_id: Id,
    #[store(metric = "cosine")]
    one: Option<Vector<3>>,
    #[store(metric = "dot")]
    two: Option<Vector<5>>,
    payload: Option<Json>,
    bytes: Option<Bytes>,
    tags: Option<Vec<String>>,
    text: Option<String>,
    number: Option<i64>,
}

fn mixed_row(random: &mut Random, n: usize) -> Mixed {
    let jsons = [
        serde_json::json!({"k": [1, 1.5, null, "x'\"y"], "": {"deep": [[]]}}),
        serde_json::json!("a string"),
        serde_json::json!([]),
        serde_json::json!(i64::MAX),
        serde_json::json!(false),
    ];
    let mut numbers = || (random.unit() * 2.0 - 1.0) as f32;
    let one = Vector::from([numbers(), numbers(), numbers()]);
    let two = Vector::from([numbers() * 100.0, 0.0, -0.0, numbers(), 1e-7]);
    Mixed {
        object_id: Id::from(format!("m{n:04}")),
        one: random.chance(60).then_some(one),
        two: random.chance(60).then_some(two),
        payload: random.chance(60).then(|| random.pick(&jsons).clone()),
        bytes: random.chance(60).then(|| Bytes((0..random.below(40)).map(|_| random.below(256) as u8).collect())),
        tags: random.chance(60).then(|| (0..random.below(4)).map(|_| (*random.pick(&["", "x", "it's", "\u{1f600}"])).to_owned()).collect()),
        text: random.chance(60).then(|| (*random.pick(&["", "plain", "a\nb", "%_\\", "null"])).to_owned()),
        number: random.chance(60).then(|| *random.pick(&[0, -1, i64::MAX, i64::MIN])),
    }
}

/// Missing vectors beside others in one batch, two vector fields, JSON, bytes, nulls: written, replaced, read.
pub async fn mixed(tested: Tested) -> Outcome {
    const ROWS: usize = 300;
    // Its directory lives as long as this does.
    let chosen = Chosen::new(tested)?;
    let ws = Workspace::open_as(&heavenbase_tests::conformance::namespace(), One { main: chosen.clone() }).await?;
    ws.register::<Mixed>().await?;
    let mut random = Random::named(heavenbase_tests::random::seed(), "mixed");
    let mut rows: Vec<Mixed> = (0..ROWS).map(|n| mixed_row(&mut random, n)).collect();
    for round in 0..3 {
        // Some rows stay, some change: values go, others come.
        for (n, row) in rows.iter_mut().enumerate() {
            if round > 0 && random.chance(50) {
                *row = mixed_row(&mut random, n);
            }
        }
        ws.upsert_many(&rows).await?;
        let found = ws.query::<Mixed>().all().await?;
        assert_eq!(found.len(), ROWS, "round {round}");
        for (found, wrote) in found.iter().zip(&rows) {
            assert_eq!(found, wrote, "round {round}");
        }
        for row in rows.iter().step_by(37) {
            assert_eq!(ws.get::<Mixed>(row.object_id.clone()).await?.as_ref(), Some(row), "round {round}");
        }
        let with = |has: fn(&Mixed) -> bool| rows.iter().filter(|row| has(row)).count();
        let one = Vector::from([1.0, 0.5, -0.5]);
        assert_eq!(ws.query::<Mixed>().near(Mixed::ONE, &one, ROWS).all().await?.len(), with(|row| row.one.is_some()), "round {round}");
        let two = Vector::from([1.0, 0.5, -0.5, 0.0, 1.0]);
        assert_eq!(ws.query::<Mixed>().near(Mixed::TWO, &two, ROWS).all().await?.len(), with(|row| row.two.is_some()), "round {round}");
        assert_eq!(ws.query::<Mixed>().filter(Mixed::BYTES.is_null()).count().await? as usize, with(|row| row.bytes.is_none()));
    }
    ws.drop::<Mixed>().await?;
    Ok(())
}
