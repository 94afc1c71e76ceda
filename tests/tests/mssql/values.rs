//! Values in both directions.

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{RawColumn, RawColumns, RawStatement, SubQuery, WriteMode};
use heavenbase::types::{Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};
use heavenbase_tests::data::Spec;
use heavenbase_tests::tds::{Cell, Column, Kind, Reply};

use crate::common::{batch, ids, open, part, peer};

const MONEY: LogicalType = LogicalType::Decimal { precision: 12, scale: 2 };
const LABELS: LogicalType = LogicalType::List(&LogicalType::TEXT);

fn uuid() -> Uuid {
    Uuid::parse_str("01234567-89ab-cdef-0123-456789abcdef").unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// One field of each type, a value of it, what is bound for that value, and what lies in the column and comes back.
fn fields() -> Vec<(Spec, Value, Cell, Kind)> {
    let plain = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    let t = Timestamp::from_micros(-1).unwrap();
    let long = "äé\u{1f600}\0 ".repeat(3_000);
    vec![
        (plain("title", LogicalType::Text { max: 255 }), text("a ' ] \u{1f600} "), Cell::Text("a ' ] \u{1f600} ".into()), Kind::Text),
        (plain("body", LogicalType::TEXT), text(&long), Cell::Text(long.clone()), Kind::LongText),
        (plain("nothing", LogicalType::TEXT), Value::Null, Cell::Null, Kind::LongText),
        (plain("empty", LogicalType::TEXT), text(""), Cell::Text(String::new()), Kind::LongText),
        (plain("other", LogicalType::Ref("other")), text("b "), Cell::Bytes(b"b ".to_vec()), Kind::Bytes),
        (plain("open", LogicalType::Bool), Value::Bool(true), Cell::Bit(true), Kind::Bit),
        (plain("least", LogicalType::INT), Value::Int(i64::MIN), Cell::Whole(i64::MIN), Kind::Whole),
        (plain("float", LogicalType::Float), Value::Float(-5e-324), Cell::Float(-5e-324), Kind::Float),
        (plain("price", MONEY), Value::Decimal(Decimal::new(-12_345, 2)), Cell::Decimal(-12_345, 2), Kind::Decimal(2)),
        (plain("most", LogicalType::DECIMAL), Value::Decimal(Decimal::new(1, 10)), Cell::Decimal(1, 10), Kind::Decimal(10)),
        (plain("moment", LogicalType::Timestamp), Value::Timestamp(t), Cell::Whole(-1), Kind::Whole),
        (plain("day", LogicalType::Date), Value::Date(Date::from_days(-1).unwrap()), Cell::Whole(-1), Kind::Whole),
        (plain("span", LogicalType::Duration), Value::Duration(Duration::from_micros(7)), Cell::Whole(7), Kind::Whole),
        (plain("key", LogicalType::Uuid), Value::Uuid(uuid()), Cell::Bytes(uuid().as_bytes().to_vec()), Kind::Bytes),
        (plain("data", LogicalType::Bytes), Value::Bytes(vec![0; 9_000].into()), Cell::Bytes(vec![0; 9_000]), Kind::LongBytes),
        (
            plain("labels", LABELS),
            Value::List(vec![text("a,b"), text("")].into()),
            Cell::Text("[\"a\\u002cb\",\"\"]".into()),
            Kind::LongText,
        ),
        (
            plain("vector", LogicalType::Vector(2)),
            Value::Vector(vec![1.0, -0.5].into()),
            Cell::Bytes([1.0f32.to_le_bytes(), (-0.5f32).to_le_bytes()].concat()),
            Kind::LongBytes,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bound_arrives() {
    let peer = peer(|asked| asked.text.starts_with("MERGE").then(|| ids(&["a "]))).await;
    let driver = open(&peer).await;
    let fields = fields();
    let specs: Vec<Spec> = fields.iter().map(|(spec, ..)| spec.clone()).collect();
    let values = fields.iter().map(|(_, value, ..)| value.clone()).collect();
    let report = driver.write(&part(&driver, &specs), batch(WriteMode::Upsert, 5, vec![("a ", values)])).await.unwrap();
    assert_eq!((report.stale.len(), report.missing.len()), (0, 0));
    let asked = peer.asked();
    let texts: Vec<&str> = asked.iter().map(|asked| asked.text.as_str()).collect();
    let merge = asked.iter().find(|asked| asked.text.starts_with("MERGE")).unwrap();
    assert_eq!(merge.values[..2], [Cell::Bytes(b"a ".to_vec()), Cell::Whole(5)]);
    for ((spec, _, expected, _), found) in fields.iter().zip(&merge.values[2..]) {
        assert_eq!(expected, found, "{}", spec.name);
    }
    assert_eq!(merge.values.len(), fields.len() + 2);
    assert!(texts.contains(&"BEGIN TRANSACTION") && texts.contains(&"COMMIT TRANSACTION"), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_column_is_read() {
    let mut columns = vec![Column::new("object_id", Kind::Bytes), Column::new("_hb_version", Kind::Whole)];
    let mut row = vec![Cell::Bytes(b"a ".to_vec()), Cell::Whole(5)];
    for (spec, _, cell, kind) in fields() {
        columns.push(Column::new(&spec.name, kind));
        row.push(cell);
    }
    let peer = peer(move |asked| asked.text.starts_with("SELECT t.").then(|| Reply::Rows(columns.clone(), vec![row.clone()]))).await;
    let driver = open(&peer).await;
    let specs: Vec<Spec> = fields().into_iter().map(|(spec, ..)| spec).collect();
    let part = part(&driver, &specs);
    let all: Vec<usize> = (0..specs.len()).collect();
    let found = driver.fetch(&part, &["a ".into()], &all).await.unwrap();
    assert_eq!((found.ids[0].as_str(), found.versions[0]), ("a ", 5));
    for ((spec, value, ..), found) in fields().iter().zip(found.row(0)) {
        assert_eq!(format!("{value:?}"), format!("{found:?}"), "{}", spec.name);
    }
    // The same row as a page of a query.
    let query = SubQuery { columns: all, limit: Some(1), ..SubQuery::default() };
    let page = driver.open(part, query.into()).unwrap().next_page().await.unwrap().unwrap();
    assert_eq!(format!("{page:?}"), format!("{found:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_statements_read_every_type_of_the_server() {
    let day = 730_119u32.to_le_bytes()[..3].to_vec();
    let wire = vec![0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    let moment = [&3_723_000_001u64.to_le_bytes()[..5], &day].concat();
    let columns =
        [("n", Kind::Whole), ("u", Kind::Uuid), ("d", Kind::Date), ("m", Kind::Moment), ("p", Kind::Decimal(3)), ("x", Kind::LongText)];
    let columns: Vec<Column> = columns.into_iter().map(|(name, kind)| Column::new(name, kind)).collect();
    let row = vec![Cell::Whole(7), Cell::Bytes(wire), Cell::Bytes(day), Cell::Bytes(moment), Cell::Decimal(1_500, 3), Cell::Null];
    let peer = peer(move |asked| match asked.text.as_str() {
        "SELECT all_of_them WHERE a = @P1 AND b = @P2" => Some(Reply::Rows(columns.clone(), vec![row.clone()])),
        "UPDATE t SET a = @P1" => Some(Reply::Done(3)),
        _ => None,
    })
    .await;
    let driver = open(&peer).await;
    let column = |logical, nullable| RawColumn { logical, nullable };
    let wanted = vec![
        column(LogicalType::INT, false),
        column(LogicalType::Uuid, false),
        column(LogicalType::Date, false),
        column(LogicalType::Timestamp, false),
        column(MONEY, false),
        column(LogicalType::TEXT, true),
    ];
    let statement = |wanted| RawStatement {
        text: "SELECT all_of_them WHERE a = @P1 AND b = @P2".to_owned(),
        values: vec![(LogicalType::TEXT, text("it's")), (LogicalType::Uuid, Value::Uuid(uuid()))],
        wanted,
    };
    let answer = driver.raw(&statement(RawColumns::InOrder(wanted.clone()))).await.unwrap();
    let moment: Timestamp = "2000-01-01T01:02:03.000001Z".parse().unwrap();
    let expected = [
        Value::Int(7),
        Value::Uuid(uuid()),
        Value::Date("2000-01-01".parse().unwrap()),
        Value::Timestamp(moment),
        Value::Decimal(Decimal::new(15, 1)),
        Value::Null,
    ];
    assert_eq!((answer.names.len(), &answer.rows[0][..]), (6, &expected[..]));
    assert_eq!(peer.asked().last().unwrap().values[0], Cell::Text("it's".to_owned()));
    // Another type, a null that may not be, too few values: each named.
    for (at, logical, named) in [(0, LogicalType::TEXT, "n"), (5, LogicalType::TEXT, "x")] {
        let mut other = wanted.clone();
        other[at] = column(logical, false);
        let error = driver.raw(&statement(RawColumns::InOrder(other))).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidQuery, Some(named)));
    }
    let few = RawStatement { values: Vec::new(), ..statement(RawColumns::None) };
    assert_eq!(driver.raw(&few).await.unwrap_err().kind(), ErrorKind::InvalidQuery);
    let update =
        RawStatement { text: "UPDATE t SET a = @P1".to_owned(), values: vec![(LogicalType::INT, Value::Int(1))], wanted: RawColumns::None };
    assert_eq!(driver.raw(&update).await.unwrap().changed, 3);
}

/// Rows that no field has: an error that says so, and never a wrong value.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_another_type_is_corrupt() {
    for (kind, cell) in [(Kind::Text, Cell::Text("7".into())), (Kind::Whole, Cell::Null), (Kind::Float, Cell::Float(7.0))] {
        let columns = [("object_id", Kind::Bytes), ("_hb_version", Kind::Whole), ("n", kind)];
        let columns: Vec<Column> = columns.into_iter().map(|(name, kind)| Column::new(name, kind)).collect();
        let row = vec![Cell::Bytes(b"a".to_vec()), Cell::Whole(1), cell];
        let peer = peer(move |asked| asked.text.starts_with("SELECT t.").then(|| Reply::Rows(columns.clone(), vec![row.clone()]))).await;
        let driver = open(&peer).await;
        let part = part(&driver, &[Spec::new("n", LogicalType::INT, Placement::InlineColumn).required()]);
        let error = driver.fetch(&part, &["a".into()], &[0]).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, Some("n")));
    }
}
