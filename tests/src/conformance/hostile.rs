//! Text that was written to break out of where it stands: in ids, in values, in the names of entities. All of it comes back
//! as it went in, and what lies beside it stays as it was.

use std::sync::Arc;

use heavenbase::driver::{SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::Part;
use heavenbase::types::{Id, Json, LogicalType, Value};

use super::context::{Context, Failure, Outcome};
use super::select::{compare, select};
use crate::check;
use crate::data::{Spec, specs_of};
use crate::random::Random;
use crate::reference::{Table, same};

/// What closes a quote, ends a statement, opens a comment, escapes, stands for a value or for any text, in any of the
/// engines; and what is more than one byte, code unit or column wide.
const PIECES: &[&str] = &[
    "'",
    "''",
    "\"",
    "\"\"",
    "`",
    "[",
    "]",
    "]]",
    "\\",
    "\\\\",
    "\\'",
    "\\\"",
    ";",
    "; ",
    "--",
    "-- ",
    "#",
    "/*",
    "*/",
    "%",
    "_",
    "\\%",
    "?",
    "??",
    "$1",
    ":1",
    ":name",
    "@P1",
    "@@",
    "{",
    "}",
    "{{",
    "${x}",
    "$",
    "(",
    ")",
    ",",
    "|",
    "||",
    "&",
    "<",
    ">",
    "=",
    "!",
    "*",
    "+",
    "^",
    "~",
    " ",
    "  ",
    "OR 1=1",
    "' OR '1'='1",
    "'; DROP TABLE canary; --",
    "\"; DROP TABLE canary; --",
    "`; DROP TABLE canary; --",
    "]; DROP TABLE canary; --",
    "UNION SELECT NULL",
    "NULL",
    "null",
    "true",
    "\u{e9}",
    "e\u{301}",
    "\u{df}",
    "\u{130}",
    "\u{2028}",
    "\u{202e}",
    "\u{200d}",
    "\u{feff}",
    "\u{ff07}",
    "\u{2019}",
    "\u{1f600}",
    "\u{10ffff}",
    "\u{ffff}",
    "\u{d7ff}",
    "\u{e000}",
    "a",
    "Z",
    "0",
    "9",
    "U&'\\0041'",
    "N'x'",
    "E'\\x'",
    "x'41'",
    "0x41",
    "\\u0041",
    "\\x41",
    "&#39;",
    "%27",
    "%00",
    "\u{7f}",
    "\u{85}",
];
/// Those that only a value may have.
const CONTROLS: &[&str] = &["\n", "\r", "\r\n", "\t", "\u{1}", "\u{8}", "\u{b}", "\u{1a}", "\u{1b}", "\u{1f}", "\0"];

fn text(random: &mut Random, controls: bool, nul: bool) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(8) {
        let piece = if controls && random.chance(15) { *random.pick(CONTROLS) } else { *random.pick(PIECES) };
        text.push_str(if piece == "\0" && !nul { "\n" } else { piece });
    }
    text
}

/// An id of such text; the number keeps ids apart, and control characters are none of an id's.
fn id(random: &mut Random, number: usize) -> Id {
    let mut text: String = text(random, false, false).chars().filter(|c| !c.is_control()).collect();
    while text.len() > 240 {
        text.pop();
    }
    Id::from(if random.chance(50) { format!("{text}{number}") } else { format!("{number}{text}") })
}

fn value(random: &mut Random, logical: LogicalType, nul: bool) -> Value {
    let mut one = || text(random, true, nul);
    match logical {
        LogicalType::Text { max } => Value::Text(one().chars().take(max as usize).collect()),
        LogicalType::List(_) => Value::List([one(), one()].into_iter().map(Value::Text).collect()),
        _ => Value::Json(Box::new(Json::from_iter([(one(), Json::from(vec![Json::from(one()), Json::from(1)]))]))),
    }
}

/// A text, and beside it a list of texts and JSON where the kind stores these.
fn specs(kind: &str) -> Vec<Spec> {
    let of = |class: &str, logical: LogicalType| {
        specs_of(kind, Some(class)).into_iter().find(|spec| spec.logical == logical && !spec.index && spec.metric.is_none())
    };
    let wanted = [("Text", LogicalType::Text { max: 255 }), ("List", LogicalType::List(&LogicalType::TEXT)), ("Json", LogicalType::Json)];
    wanted.into_iter().filter_map(|(class, logical)| of(class, logical)).collect()
}

/// Writes a batch of rows with hostile ids and values.
async fn fill(
    context: &Context,
    part: &Arc<Part>,
    random: &mut Random,
    version: i64,
    numbers: std::ops::Range<usize>,
) -> Outcome<WriteBatch> {
    let nul = context.setup.manners.nul;
    let ids: Vec<Id> = numbers.map(|number| id(random, number)).collect();
    let columns: Vec<usize> = (0..part.columns.len()).collect();
    let values = ids.iter().flat_map(|_| &part.columns).map(|column| value(random, column.logical, nul)).collect();
    let batch = WriteBatch { mode: WriteMode::Upsert, version, ids, columns, values, expected: Vec::new() };
    let report = context.driver().write(part, Arc::new(batch.clone())).await?;
    check!(report.stale.is_empty() && report.missing.is_empty(), "new rows are reported: {report:?}");
    Ok(batch)
}

/// Everything that was written is there, byte for byte, and nothing else.
async fn kept(context: &Context, part: &Arc<Part>, written: &[WriteBatch], what: &str) -> Outcome {
    let columns: Vec<usize> = (0..part.columns.len()).collect();
    let found = select(context, part, &SubQuery { columns, ..SubQuery::default() }).await?;
    let count: usize = written.iter().map(WriteBatch::len).sum();
    check!(found.len() == count, "{what}: {} rows instead of {count}", found.len());
    let rows: std::collections::HashMap<&str, &[Value]> = found.iter().map(|f| (f.row.id.as_str(), f.row.values.as_slice())).collect();
    for batch in written {
        for (row, id) in batch.ids.iter().enumerate() {
            let Some(values) = rows.get(id.as_str()) else { return Err(Failure(format!("{what}: the row {id:?} is gone"))) };
            let right = batch.row(row).iter().zip(*values).all(|(a, b)| same(a, b));
            check!(right, "{what}: the row {id:?} is {values:?} instead of {:?}", batch.row(row));
        }
    }
    Ok(())
}

/// Thousands of hostile ids and values beside a canary, and filters that ask for them.
pub async fn values(context: &Context) -> Outcome {
    let mut random = context.random();
    let specs = specs(context.setup.kind);
    if specs.is_empty() {
        return Ok(());
    }
    let canary = context.part("canary", &specs).await?;
    let sung = vec![fill(context, &canary, &mut random, 1, 0..20).await?];
    let part = context.part("hostile", &specs).await?;
    let (count, most) = (context.rounds(5_000), context.driver().description().max_batch.clamp(1, 1_000));
    let (mut written, mut table) = (Vec::new(), Table::default());
    for (from, version) in (0..count).step_by(most).zip(1..) {
        let batch = fill(context, &part, &mut random, version, from..(from + most).min(count)).await?;
        if table.write(&part, &batch).is_err() {
            return Err(Failure("the reference refuses a row that the driver took".to_owned()));
        }
        written.push(batch);
    }
    context.driver().refresh(&canary).await?;
    context.driver().refresh(&part).await?;
    kept(context, &part, &written, "hostile values").await?;
    let name = part.columns[0].name;
    for round in 0..context.rounds(60) {
        let batch = random.pick(&written);
        let mut stored = || match &batch.row(random.below(batch.len()))[0] {
            Value::Text(text) => text.clone(),
            _ => String::new(),
        };
        let texts: Vec<String> = (0..30).map(|_| stored()).collect();
        let condition = match round % 6 {
            0 => Condition::Eq(Value::Text(texts[0].clone())),
            1 => Condition::In(texts.into_iter().map(Value::Text).collect()),
            2 => Condition::Contains(texts[0].chars().skip(1).take(3).collect()),
            3 => Condition::StartsWith(texts[0].chars().take(4).collect()),
            4 => Condition::Like(format!("%{}%", texts[0].chars().take(3).collect::<String>())),
            _ => Condition::Lt(Value::Text(texts[0].clone())),
        };
        let filter = Filter::Test(Test::new(name, condition));
        compare(context, &part, &table, &SubQuery { filter, columns: vec![0], ..SubQuery::default() }).await?;
    }
    kept(context, &canary, &sung, "the canary").await
}

/// Entities with hostile names, beside a canary; each is made, written, read and dropped.
pub async fn entities(context: &Context) -> Outcome {
    let mut random = context.random();
    let specs = specs(context.setup.kind);
    if specs.is_empty() {
        return Ok(());
    }
    let canary = context.part("canary", &specs).await?;
    let sung = vec![fill(context, &canary, &mut random, 1, 0..20).await?];
    for number in 0..context.rounds(25) {
        let name = format!("{}{number}", text(&mut random, true, true));
        let part = context.part(&name, &specs).await?;
        let written = vec![fill(context, &part, &mut random, 1, 0..3).await?];
        context.driver().refresh(&part).await?;
        kept(context, &part, &written, &format!("the entity {name:?}")).await?;
        check!(context.driver().drop_part(&part).await?, "the entity {name:?} was not there to be dropped");
    }
    context.driver().refresh(&canary).await?;
    kept(context, &canary, &sung, "the canary").await
}
