use std::sync::Arc;

use heavenbase::driver::{Ensured, SubQuery};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{EntitySchema, FieldSchema, PlacementSchema};
use heavenbase::types::{LogicalType, Value};
use heavenbase::{Error, ErrorKind};

use crate::common::{GRAPH, INLINE, L2, Store, field, lay_out, namespace, place, text};

const NAME: FieldSchema = field("name", LogicalType::TEXT, INLINE);
static FIRST: EntitySchema = EntitySchema::new("evolving", &[NAME, field("way", LogicalType::Vector(3), L2)]);

fn default_rank() -> Value {
    Value::Int(7)
}

static SECOND: EntitySchema = EntitySchema::new(
    "evolving",
    &[
        NAME,
        field("way", LogicalType::Vector(3), L2),
        field("note", LogicalType::TEXT, INLINE),
        FieldSchema { nullable: false, default: Some(default_rank), ..field("rank", LogicalType::INT, INLINE) },
    ],
);

#[tokio::test]
async fn new_fields_are_added_and_old_rows_get_the_default() {
    let Some(store) = Store::open("new_fields", &FIRST).await else { return };
    let way = Value::Vector(vec![1.0, 2.0, 3.0].into());
    store.upsert(3, (0..1_200).map(|n| (format!("r{n:04}"), vec![text("old"), way.clone()])).collect()).await;
    assert_eq!(store.driver.ensure(&store.part).await.unwrap(), Ensured::default(), "again: nothing to do");
    let part = lay_out(&store.driver, &SECOND, &store.part.namespace);
    let ensured = store.driver.ensure(&part).await.unwrap();
    assert_eq!((ensured.created, ensured.added), (false, vec!["note".into(), "rank".into()]));
    assert_eq!(store.driver.ensure(&part).await.unwrap(), Ensured::default());
    let store = Store { part, ..store };
    let filled = Filter::from(Test::new("rank", Condition::Eq(Value::Int(7))));
    let found = store.run(SubQuery { filter: filled, columns: vec![0, 1, 2, 3], ..SubQuery::default() }).await.unwrap();
    assert_eq!(found.len(), 1_200);
    assert_eq!((found.versions[0], found.row(5)), (3, &[text("old"), way, Value::Null, Value::Int(7)][..]), "the version stays");
    store.upsert(4, vec![("new".into(), vec![text("n"), Value::Null, text("a note"), Value::Int(1)])]).await;
    assert_eq!(store.get("new").await.unwrap().1[3], Value::Int(1));
    store.close().await;
}

async fn refusal(store: &Store, entity: &'static EntitySchema) -> Error {
    store.driver.ensure(&lay_out(&store.driver, entity, &store.part.namespace)).await.unwrap_err()
}

#[tokio::test]
async fn other_differences_are_refused_by_name() {
    static OTHER_TYPE: EntitySchema =
        EntitySchema::new("evolving", &[field("name", LogicalType::INT, INLINE), field("way", LogicalType::Vector(3), L2)]);
    static OTHER_INDEX: EntitySchema = EntitySchema::new("evolving", &[NAME, field("way", LogicalType::Vector(3), GRAPH)]);
    static REQUIRED: EntitySchema = EntitySchema::new(
        "evolving",
        &[NAME, field("way", LogicalType::Vector(3), L2), FieldSchema { nullable: false, ..field("rank", LogicalType::INT, INLINE) }],
    );
    let Some(store) = Store::open("other_differences", &FIRST).await else { return };
    for (entity, field) in [(&OTHER_TYPE, "name"), (&OTHER_INDEX, "way"), (&REQUIRED, "rank")] {
        let error = refusal(&store, entity).await;
        assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some(field)), "{error:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn what_is_not_ours_is_neither_used_nor_dropped() {
    let Some(store) = Store::open("not_ours", &FIRST).await else { return };
    let foreign = lay_out(&store.driver, &FIRST, &namespace());
    store.raw("PUT", &foreign.table, Some(serde_json::json!({ "settings": { "number_of_replicas": 0 } }))).await.unwrap();
    let error = store.driver.ensure(&foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
    let error = store.driver.drop_part(&foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
    store.raw("DELETE", &foreign.table, None).await.unwrap();
    // Another entity on the same index.
    let mut other = (*store.part).clone();
    other.namespace = Arc::from("somebody");
    let error = store.driver.drop_part(&Arc::new(other)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
    // An index that is gone is not made anew by a write.
    let gone = Store { driver: store.driver.clone(), part: lay_out(&store.driver, &FIRST, &namespace()) };
    let error = gone.write(heavenbase::driver::WriteMode::Upsert, 1, vec![("a".into(), vec![Value::Null, Value::Null])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRegistered, "{error:?}");
    assert_eq!(gone.run(SubQuery::default()).await.unwrap_err().kind(), ErrorKind::NotRegistered);
    assert!(!gone.driver.drop_part(&gone.part).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_before_anything_is_made() {
    const UNIQUE: &[PlacementSchema] = &[PlacementSchema { unique: true, ..place(heavenbase::capability::Placement::InlineColumn) }];
    static UNIQUE_NAME: EntitySchema = EntitySchema::new("unique", &[field("name", LogicalType::TEXT, UNIQUE)]);
    static LONG_VECTOR: EntitySchema = EntitySchema::new("long_vector", &[field("way", LogicalType::Vector(4_097), L2)]);
    static MAPPED: EntitySchema =
        EntitySchema { existing: Some(heavenbase::schema::ExistingTable::at(&["somewhere"])), ..EntitySchema::new("mapped", &[NAME]) };
    let Some(store) = Store::open("what_cannot_be_kept", &FIRST).await else { return };
    for (entity, kind) in
        [(&UNIQUE_NAME, ErrorKind::InvalidSchema), (&LONG_VECTOR, ErrorKind::Unsupported), (&MAPPED, ErrorKind::Unsupported)]
    {
        assert_eq!(refusal(&store, entity).await.kind(), kind, "{}", entity.name);
    }
    store.close().await;
}
