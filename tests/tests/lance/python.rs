use heavenbase::backends::Lance;
use heavenbase::capability::Placement;
use heavenbase::types::{Bytes, Date, Id, LogicalType, Metric, Timestamp, Value};
use heavenbase_tests::data::Spec;

use crate::common::{Outcome, Store, pylance, vector};

/// What PyPI's `pylance` makes of a dataset: the same rows, types that are what they are, nulls that are null.
const READ: &str = r#"
import json, sys, lance
dataset = lance.dataset(sys.argv[1])
rows = {row["object_id"]: row for row in dataset.to_table().to_pylist()}
full, empty = rows["full"], rows["empty"]
assert len(rows) == 2 and dataset.count_rows() == 2, rows
assert full["n"] == -5 and full["price"] == 1.5 and full["ok"] is True and full["title"] == "it's \u00e9", full
assert full["tags"] == ["a", "b", "a"] and full["raw"] == b"\x00\xff" and json.loads(full["data"]) == {"a": [1, None]}, full
assert full["v"] == [1.0, 2.0, 3.0, 4.0] and full["w"] is None, full
assert full["seen"].isoformat() == "2026-11-21T10:00:00.000001+00:00" and full["day"].isoformat() == "1970-01-02", full
assert full["_hb_version"] == 7, full
assert all(empty[name] is None for name in ["n", "price", "ok", "title", "tags", "raw", "data", "v", "seen", "day"]), empty
assert empty["w"] == [0.5, 0.25], empty
nearest = dataset.to_table(nearest={"column": "v", "q": [1, 2, 3, 5], "k": 1, "metric": "l2"}).to_pylist()
assert [row["object_id"] for row in nearest] == ["full"], nearest
assert "heavenbase" in {key.decode() if isinstance(key, bytes) else key for key in (dataset.schema.metadata or {})}
print(lance.__version__)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn pylance_reads_what_was_written() -> Outcome {
    let directory = tempfile::tempdir()?;
    let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    let specs = [
        inline("n", LogicalType::INT),
        inline("price", LogicalType::Float),
        inline("ok", LogicalType::Bool),
        Spec::new("title", LogicalType::Text { max: 255 }, Placement::InvertedIndex),
        inline("tags", LogicalType::List(&LogicalType::TEXT)),
        inline("raw", LogicalType::Bytes),
        Spec::new("data", LogicalType::Json, Placement::JsonField),
        vector("v", 4, Metric::L2),
        vector("w", 2, Metric::Cosine),
        inline("seen", LogicalType::Timestamp),
        inline("day", LogicalType::Date),
    ];
    let store = Store::open(Lance::dir(directory.path()), &specs, &[]).await?;
    let text = |t: &str| Value::Text(t.to_owned());
    let full = vec![
        Value::Int(-5),
        Value::Float(1.5),
        Value::Bool(true),
        text("it's \u{e9}"),
        Value::List(Box::new([text("a"), text("b"), text("a")])),
        Value::Bytes(Bytes::from(vec![0, 255]).0.into()),
        Value::Json(Box::new(serde_json::json!({"a": [1, null]}))),
        Value::Vector([1.0, 2.0, 3.0, 4.0].into()),
        Value::Null,
        Value::Timestamp(Timestamp::from_micros(1_795_255_200_000_001)?),
        Value::Date(Date::from_days(1)?),
    ];
    let mut empty = vec![Value::Null; specs.len()];
    empty[8] = Value::Vector([0.5, 0.25].into());
    store.upsert(7, vec![(Id::from("full"), full), (Id::from("empty"), empty)]).await?;
    let dataset = directory.path().join("space__thing.lance");
    if let Some(version) = pylance(READ, &[dataset.as_os_str()])? {
        eprintln!("read by pylance {version}");
    }
    Ok(())
}
