//! A field that asks for another index than was built: nothing is searched by settings of one index in another, and upkeep
//! replaces it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heavenbase::backends::Lance;
use heavenbase::capability::Placement;
use heavenbase::filter::{Condition, Filter};
use heavenbase::schema::Index;
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase_tests::data::Spec;
use heavenbase_tests::random::Random;

use crate::common::{Outcome, Store, number, pylance, random_vector, test, vector};

const ROWS: usize = 6_000;
const LENGTH: usize = 16;
const K: usize = 10;
const QUERIES: usize = 12;

/// Indexes that find little, so that a search shows whether it went by them: one list of many, sixteen shades for eight
/// numbers.
const COARSE: Index = Index { method: "ivf_pq", parameters: &[("sub_vectors", 2), ("bits", 4), ("refine", 1)] };
const MANY_LISTS: Index = Index { method: "ivf_flat", parameters: &[("partitions", 100), ("probes", 1)] };
const FEW_LISTS: Index = Index { method: "ivf_flat", parameters: &[("partitions", 50), ("probes", 1)] };
const GRAPH: Index = Index { method: "hnsw", parameters: &[] };

struct Place {
    directory: tempfile::TempDir,
    vectors: Vec<Arc<[f32]>>,
    queries: Vec<Arc<[f32]>>,
}

impl Place {
    fn new() -> Outcome<Place> {
        let mut random = Random::new(23);
        let mut some = |n: usize| (0..n).map(|_| random_vector(&mut random, LENGTH)).collect();
        Ok(Place { directory: tempfile::tempdir()?, vectors: some(ROWS + 2_000), queries: some(QUERIES) })
    }

    /// Without upkeep but by `maintain`; old versions, and indexes that only they have, go at once.
    fn backend(&self) -> Lance {
        Lance::dir(self.directory.path()).keep_versions(Duration::ZERO).upkeep(false)
    }

    async fn open(&self, indexes: &[(&str, Index)]) -> Outcome<Store> {
        self.open_as(self.backend(), indexes).await
    }

    async fn open_as(&self, backend: Lance, indexes: &[(&str, Index)]) -> Outcome<Store> {
        Store::open(backend, &[number("n"), vector("v", LENGTH as u32, Metric::L2)], indexes).await
    }

    async fn write(&self, store: &Store, version: i64, rows: std::ops::Range<usize>) -> Outcome {
        let row = |n: usize| (id(n), vec![Value::Int(n as i64), Value::Vector(self.vectors[n].clone())]);
        store.upsert(version, rows.map(row).collect()).await?;
        Ok(())
    }

    /// A store with rows and the indexes that it asks for.
    async fn indexed(&self, indexes: &[(&str, Index)]) -> Outcome<Store> {
        let store = self.open(indexes).await?;
        self.write(&store, 1, 0..ROWS).await?;
        store.lance().maintain(&store.part).await?;
        Ok(store)
    }

    /// The share of the nearest among the first rows that is found, of those from `least` on.
    async fn recall(&self, store: &Store, rows: usize, least: usize) -> Outcome<f64> {
        let filter = if least == 0 { Filter::all() } else { test("n", Condition::Ge(Value::Int(least as i64))) };
        let mut found = 0;
        for query in &self.queries {
            let mut best: Vec<(f64, usize)> = (least..rows).map(|n| (Metric::L2.score(query, &self.vectors[n]), n)).collect();
            best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let hits = store.near(1, query, Metric::L2, K, false, filter.clone()).await?;
            assert_eq!(hits.len(), K);
            found += best[..K].iter().filter(|(_, n)| hits.ids.contains(&id(*n))).count();
        }
        Ok(found as f64 / (K * QUERIES) as f64)
    }

    /// The index files' folders.
    fn folders(&self) -> BTreeSet<String> {
        let indices = self.directory.path().join("space__thing.lance").join("_indices");
        let entries = std::fs::read_dir(indices).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

fn id(n: usize) -> Id {
    Id::from(format!("r{n:05}"))
}

/// Half of the rows: more than are compared one by one.
const HALF: usize = ROWS / 2;

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_built_anew() -> Outcome {
    let place = Place::new()?;
    let store = place.indexed(&[("v", COARSE)]).await?;
    let coarse = place.recall(&store, ROWS, 0).await?;
    assert!(coarse < 0.8, "the index is not coarse, or not used: {coarse}");
    let before = place.folders();
    drop(store);
    // A graph serves filters too; the quantizer that is there does not.
    let store = place.open(&[("v", GRAPH)]).await?;
    for least in [0, HALF] {
        assert_eq!(place.recall(&store, ROWS, least).await?, 1.0, "before upkeep, rows from {least} on");
    }
    assert_eq!(place.folders(), before, "something was built without being asked");
    store.lance().maintain(&store.part).await?;
    let after = place.folders();
    assert_eq!((after.len(), after.difference(&before).count()), (2, 1), "{before:?} became {after:?}");
    for least in [0, HALF, ROWS - 500] {
        let recall = place.recall(&store, ROWS, least).await?;
        assert!(recall >= 0.95, "after upkeep, rows from {least} on: {recall}");
    }
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders(), after, "built anew although nothing changed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_parameter_is_built_anew_but_not_what_only_searches_read() -> Outcome {
    let place = Place::new()?;
    let store = place.indexed(&[("v", MANY_LISTS)]).await?;
    let many = place.recall(&store, ROWS, 0).await?;
    assert!(many < 0.9, "a hundredth of the lists finds {many}, or the index is not used");
    let before = place.folders();
    let store = place.open(&[("v", FEW_LISTS)]).await?;
    for least in [0, HALF] {
        assert_eq!(place.recall(&store, ROWS, least).await?, 1.0, "before upkeep, rows from {least} on");
    }
    store.lance().maintain(&store.part).await?;
    let after = place.folders();
    assert_eq!((after.len(), after.difference(&before).count()), (2, 1), "{before:?} became {after:?}");
    let few = place.recall(&store, ROWS, 0).await?;
    assert!(many < few && few < 1.0, "one list of a hundred finds {many}, one of fifty {few}");

    let more = Index { method: "ivf_flat", parameters: &[("partitions", 50), ("probes", 50)] };
    let store = place.open(&[("v", more)]).await?;
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders(), after, "built anew for what only searches read");
    assert_eq!(place.recall(&store, ROWS, HALF).await?, 1.0);

    let usual = Index { method: "ivf_pq", parameters: &[] };
    let same = Index { method: "", parameters: &[("sub_vectors", 2), ("bits", 8)] };
    let other = Index { method: "ivf_pq", parameters: &[("sub_vectors", 4)] };
    for (index, builds) in [(usual, true), (same, false), (other, true)] {
        let before = place.folders();
        let store = place.open(&[("v", index)]).await?;
        store.lance().maintain(&store.part).await?;
        assert_eq!(place.folders() != before, builds, "{index:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_asked_for_is_dropped() -> Outcome {
    let place = Place::new()?;
    let ordered = Index { method: "", parameters: &[] };
    let store = place.indexed(&[("v", MANY_LISTS), ("n", ordered)]).await?;
    assert_eq!(place.folders().len(), 3, "of ids, of n, of v");
    assert!(place.recall(&store, ROWS, 0).await? < 0.9);
    let store = place.open(&[("n", Index { method: "bitmap", parameters: &[] })]).await?;
    assert_eq!(place.recall(&store, ROWS, 0).await?, 1.0, "before upkeep");
    let before = place.folders();
    store.lance().maintain(&store.part).await?;
    let after = place.folders();
    assert_eq!((after.len(), after.intersection(&before).count()), (2, 1), "{before:?} became {after:?}: ids stay, n is another one");
    for least in [0, HALF, ROWS - 100] {
        assert_eq!(place.recall(&store, ROWS, least).await?, 1.0, "rows from {least} on");
    }
    let store = place.open(&[]).await?;
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders().len(), 1, "the one of ids");
    assert_eq!(place.recall(&store, ROWS, ROWS - 100).await?, 1.0);
    // Asked for again, with too few rows: what is there of another kind goes, and nothing is built.
    let store = place.open(&[("v", MANY_LISTS)]).await?;
    store.lance().maintain(&store.part).await?;
    let store = place.open_as(place.backend().index_from(ROWS * 2), &[("v", COARSE)]).await?;
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders().len(), 1);
    assert_eq!(place.recall(&store, ROWS, 0).await?, 1.0);
    Ok(())
}

/// What an index was built as is still known after it was added to, and after the files under it were merged.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_added_to_is_still_the_same() -> Outcome {
    let place = Place::new()?;
    let store = place.indexed(&[("v", MANY_LISTS)]).await?;
    let first = place.folders();
    place.write(&store, 2, ROWS..ROWS + 1_000).await?;
    store.lance().maintain(&store.part).await?;
    let added = place.folders();
    assert!(added.is_superset(&first) && added.len() == 4, "{first:?} became {added:?}");
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders(), added, "built anew although it was only added to");
    assert!(place.recall(&store, ROWS + 1_000, 0).await? < 0.9, "it is not used any more");
    for n in 0..30 {
        place.write(&store, 3 + n, ROWS + 1_000 + n as usize..ROWS + 1_001 + n as usize).await?;
    }
    store.lance().maintain(&store.part).await?;
    let merged = place.folders();
    assert_eq!(merged.len(), 4, "{added:?} became {merged:?}: built anew although files were only merged");
    assert!(place.recall(&store, ROWS + 1_030, 0).await? < 0.9, "it is not used any more");
    // Most rows are replaced: it is trained again, with as many lists as were asked for.
    place.write(&store, 100, 0..ROWS).await?;
    store.lance().maintain(&store.part).await?;
    let trained = place.folders();
    assert_eq!((trained.len(), trained.intersection(&merged).count()), (2, 0), "{merged:?} became {trained:?}");
    assert!(place.recall(&store, ROWS + 1_030, 0).await? < 0.9, "a hundredth of the lists is searched");
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders(), trained);
    Ok(())
}

/// A store that is only read gets what it asks for all the same.
#[tokio::test(flavor = "multi_thread")]
async fn declaring_another_index_is_enough() -> Outcome {
    let place = Place::new()?;
    drop(place.indexed(&[("v", COARSE)]).await?);
    let before = place.folders();
    let store = place.open_as(place.backend().upkeep(true), &[("v", MANY_LISTS)]).await?;
    let start = Instant::now();
    // Right at any moment: exactly, or by one list of the new index, which finds what it finds with its vectors whole.
    while place.recall(&store, ROWS, 0).await? == 1.0 {
        assert!(start.elapsed() < Duration::from_secs(120), "no upkeep: {before:?} is {:?}", place.folders());
    }
    assert_eq!(place.folders().difference(&before).count(), 1);
    Ok(())
}

/// Every kind of index is known again as what it is: nothing is built a second time for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_as_asked_for_stays() -> Outcome {
    let place = Place::new()?;
    let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    let specs = [
        number("n"),
        inline("ok", LogicalType::Bool),
        inline("tags", LogicalType::List(&LogicalType::TEXT)),
        Spec::new("title", LogicalType::Text { max: 255 }, Placement::InvertedIndex),
        vector("v", LENGTH as u32, Metric::Cosine),
        vector("w", LENGTH as u32, Metric::Dot),
        vector("x", LENGTH as u32, Metric::L2),
    ];
    let plain = Index { method: "", parameters: &[] };
    let scaled = Index { method: "ivf_sq", parameters: &[] };
    let indexes = [("n", plain), ("ok", plain), ("tags", plain), ("v", plain), ("w", scaled), ("x", GRAPH)];
    let row = |n: usize| {
        let vector = || Value::Vector(place.vectors[n].clone());
        let text = || Value::Text(format!("word{} of {}", n % 7, n % 3));
        (
            id(n),
            vec![
                Value::Int(n as i64),
                Value::Bool(n.is_multiple_of(2)),
                Value::List(Box::new([text()])),
                text(),
                vector(),
                vector(),
                vector(),
            ],
        )
    };
    let open = async || Store::open(place.backend().index_from(1), &specs, &indexes).await;
    let store = open().await?;
    store.upsert(1, (0..400).map(row).collect()).await?;
    store.lance().maintain(&store.part).await?;
    let built = place.folders();
    assert_eq!(built.len(), 8, "of ids, of six fields, of the words of one");
    let store = open().await?;
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders(), built);
    Ok(())
}

/// An index of which nothing says what it was built as: of an earlier version of ours, or of another program.
const BUILD: &str = r#"
import sys, lance
dataset = lance.dataset(sys.argv[1])
dataset.create_index("v", "IVF_PQ", name=sys.argv[2], metric="l2", num_partitions=10, num_sub_vectors=1)
"#;

fn build_by_python(place: &Place, name: &str) -> Outcome<bool> {
    let dataset = place.directory.path().join("space__thing.lance");
    Ok(pylance(BUILD, &[dataset.as_os_str(), name.as_ref()])?.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_without_a_note_is_built_anew_once() -> Outcome {
    let place = Place::new()?;
    let store = place.open(&[("v", MANY_LISTS)]).await?;
    place.write(&store, 1, 0..ROWS).await?;
    if !build_by_python(&place, "hb_v")? {
        return Ok(());
    }
    for least in [0, HALF] {
        assert_eq!(place.recall(&store, ROWS, least).await?, 1.0, "before upkeep, rows from {least} on");
    }
    let before = place.folders();
    store.lance().maintain(&store.part).await?;
    let after = place.folders();
    assert!(after.len() == 2 && after.is_disjoint(&before), "{before:?} became {after:?}");
    assert!(place.recall(&store, ROWS, 0).await? < 0.9, "the new one is not used");
    store.lance().maintain(&store.part).await?;
    assert_eq!(place.folders(), after, "built anew a second time");
    Ok(())
}

/// Lance takes whichever index it meets first, so another program's is not searched by, and it stays.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_program_is_left_alone() -> Outcome {
    let place = Place::new()?;
    let store = place.open(&[("v", GRAPH)]).await?;
    place.write(&store, 1, 0..ROWS).await?;
    if !build_by_python(&place, "theirs")? {
        return Ok(());
    }
    let theirs = place.folders();
    assert_eq!(theirs.len(), 1);
    store.lance().maintain(&store.part).await?;
    assert!(place.folders().is_superset(&theirs) && place.folders().len() == 3);
    for least in [0, HALF] {
        assert_eq!(place.recall(&store, ROWS, least).await?, 1.0, "rows from {least} on");
    }
    Ok(())
}
