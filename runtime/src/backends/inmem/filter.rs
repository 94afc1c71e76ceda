//! Filters over columns: each test becomes a set of rows of a chunk, sets are combined bit by bit. What has no form over
//! columns is decided by [`Program`], row by row; what nulls do, always.

use regex::Regex;

use super::column::{Cells, Data, Kind};
use super::mask::Mask;
use super::packed::{self, Reader};
use super::table::{Chunk, ColumnShape};
use super::texts::Texts;
use crate::error::Result;
use crate::filter::{Condition, Filter, Program, Segment, Target, Test, compile_like, compile_regex};
use crate::schema::ID_COLUMN;
use crate::types::{Value, lower_simple, words};

/// A filter made ready for a table's columns.
#[derive(Debug)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// A test of the id.
    Id(TextTest),
    /// A test of a column.
    Column {
        column: usize,
        kind: Kind,
        nulls: bool,
        test: ValueTest,
    },
}

/// What non-null values of a column must be.
#[derive(Debug)]
pub(super) enum ValueTest {
    /// All of them, or none.
    Always(bool),
    /// Within bounds, both included; or outside.
    Whole {
        low: i64,
        high: i64,
        inside: bool,
    },
    /// A member of a sorted list; or not.
    WholeIn {
        members: Vec<i64>,
        inside: bool,
    },
    /// Within bounds that are included or not; or outside.
    Float {
        low: f64,
        high: f64,
        open: (bool, bool),
        inside: bool,
    },
    /// By the answer for each code of a category, or for `false` and `true`.
    Code(Vec<bool>),
    Text(TextTest),
    Words {
        words: Vec<String>,
        phrase: bool,
    },
    /// The number of a list's items.
    Length(Program),
    /// What lies at a path of JSON.
    Path(Vec<Segment>, Program),
    /// Whether a list holds one or all of these items, as bytes.
    Has {
        items: Vec<Vec<u8>>,
        all: bool,
    },
    /// Anything else.
    Row(Program),
}

/// What a text must be.
#[derive(Debug)]
pub(super) enum TextTest {
    Equal(String, bool),
    In(Vec<String>, bool),
    /// Within bounds by bytes: `None` is no bound; whether a bound is open.
    Between {
        low: Option<(String, bool)>,
        high: Option<(String, bool)>,
    },
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    IContains(String),
    /// A pattern, and whether the text is lowered first.
    Regex(Regex, bool),
    Row(Program),
}

/// Prepares a filter; `column` gives the stored column of a field.
pub(super) fn prepare(filter: &Filter, shape: &[ColumnShape], column: &dyn Fn(&str) -> Option<usize>) -> Result<Node> {
    let nodes = |parts: &[Filter]| parts.iter().map(|part| prepare(part, shape, column)).collect::<Result<Vec<_>>>();
    Ok(match filter {
        Filter::And(parts) => {
            let mut nodes = nodes(parts)?;
            // Cheap tests first: the dear ones then look at fewer rows.
            nodes.sort_by_key(Node::cost);
            Node::And(nodes)
        }
        Filter::Or(parts) => Node::Or(nodes(parts)?),
        Filter::Not(inner) => Node::Not(Box::new(prepare(inner, shape, column)?)),
        Filter::Test(test) => {
            // The reference evaluator compiles every test first: it refuses what no engine may answer.
            let program = Program::new(filter, &|field| (field == ID_COLUMN || column(field).is_some()).then_some(0))?;
            match column(&test.field) {
                Some(column) => {
                    let (kind, nulls) = (shape[column].kind, program.holds_on(&[Value::Null]));
                    Node::Column { column, kind, nulls, test: value_test(test, &kind, program)? }
                }
                None => Node::Id(text_test(test, program)?),
            }
        }
    })
}

fn value_test(test: &Test, kind: &Kind, program: Program) -> Result<ValueTest> {
    // The same condition on what is read out of the list or JSON.
    let inner = || Program::new(&Filter::Test(Test { target: Target::Value, ..test.clone() }), &|_| Some(0));
    match &test.target {
        Target::Value => {}
        Target::Length => return Ok(ValueTest::Length(inner()?)),
        Target::Path(path) if *kind == Kind::Packed => return Ok(ValueTest::Path(path.clone(), inner()?)),
        Target::Path(_) => return Ok(ValueTest::Row(program)),
    }
    match &test.condition {
        Condition::IsNull => return Ok(ValueTest::Always(false)),
        Condition::IsSome => return Ok(ValueTest::Always(true)),
        _ => {}
    }
    Ok(match kind {
        Kind::Int | Kind::Timestamp | Kind::Date | Kind::Duration => whole_test(&test.condition, kind).unwrap_or(ValueTest::Row(program)),
        Kind::Float => float_test(&test.condition).unwrap_or(ValueTest::Row(program)),
        Kind::Bool => ValueTest::Code([false, true].iter().map(|b| program.holds_on(&[Value::Bool(*b)])).collect()),
        Kind::Category(names) => ValueTest::Code(names.iter().map(|name| program.holds_on(&[Value::Text((*name).to_owned())])).collect()),
        Kind::Text { .. } => match &test.condition {
            Condition::Matches(text) => ValueTest::Words { words: words(text).collect(), phrase: false },
            Condition::Phrase(text) => ValueTest::Words { words: words(text).collect(), phrase: true },
            _ => ValueTest::Text(text_test(test, program)?),
        },
        Kind::Packed => has_test(&test.condition).unwrap_or(ValueTest::Row(program)),
        Kind::Decimal | Kind::Uuid | Kind::Vector(_) => ValueTest::Row(program),
    })
}

fn whole_test(condition: &Condition, kind: &Kind) -> Option<ValueTest> {
    // Equality with a value of another family holds on no value; comparison neither.
    let range = |low: Option<i64>, high: Option<i64>, inside: bool| match (low, high) {
        (Some(low), Some(high)) if low <= high => Some(ValueTest::Whole { low, high, inside }),
        _ => Some(ValueTest::Always(!inside)),
    };
    let of = |value: &Value| kind.whole(value);
    let members = |members: &[Value], inside: bool| {
        let mut members: Vec<i64> = members.iter().filter_map(of).collect();
        members.sort_unstable();
        Some(ValueTest::WholeIn { members, inside })
    };
    match condition {
        Condition::Eq(value) => range(of(value), of(value), true),
        Condition::Ne(value) => range(of(value), of(value), false),
        Condition::Lt(value) => range(Some(i64::MIN), of(value).and_then(|n| n.checked_sub(1)), true),
        Condition::Le(value) => range(Some(i64::MIN), of(value), true),
        Condition::Gt(value) => range(of(value).and_then(|n| n.checked_add(1)), Some(i64::MAX), true),
        Condition::Ge(value) => range(of(value), Some(i64::MAX), true),
        Condition::Between(low, high) => range(of(low), of(high), true),
        Condition::In(values) => members(values, true),
        Condition::NotIn(values) => members(values, false),
        _ => None,
    }
}

fn float_test(condition: &Condition) -> Option<ValueTest> {
    let of = |value: &Value| match value {
        Value::Float(n) if !n.is_nan() => Some(*n),
        _ => None,
    };
    let range = |low: Option<f64>, high: Option<f64>, open: (bool, bool), inside: bool| match (low, high) {
        (Some(low), Some(high)) => Some(ValueTest::Float { low, high, open, inside }),
        _ => Some(ValueTest::Always(!inside)),
    };
    let (least, most) = (Some(f64::NEG_INFINITY), Some(f64::INFINITY));
    match condition {
        Condition::Eq(value) => range(of(value), of(value), (false, false), true),
        Condition::Ne(value) => range(of(value), of(value), (false, false), false),
        Condition::Lt(value) => range(least, of(value), (false, true), true),
        Condition::Le(value) => range(least, of(value), (false, false), true),
        Condition::Gt(value) => range(of(value), most, (true, false), true),
        Condition::Ge(value) => range(of(value), most, (false, false), true),
        Condition::Between(low, high) => range(of(low), of(high), (false, false), true),
        _ => None,
    }
}

fn has_test(condition: &Condition) -> Option<ValueTest> {
    let (items, all) = match condition {
        Condition::Has(item) => (std::slice::from_ref(item), true),
        Condition::HasAny(items) => (items.as_slice(), false),
        // All of nothing is in every list, and in no JSON value: the plain test knows.
        Condition::HasAll(items) if !items.is_empty() => (items.as_slice(), true),
        _ => return None,
    };
    Some(ValueTest::Has { items: items.iter().map(packed::exact).collect::<Option<_>>()?, all })
}

fn text_test(test: &Test, program: Program) -> Result<TextTest> {
    if test.target != Target::Value {
        return Ok(TextTest::Row(program));
    }
    let of = |value: &Value| value.as_text().map(str::to_owned);
    let members = |values: &[Value]| {
        let mut members: Vec<String> = values.iter().filter_map(of).collect();
        members.sort_unstable();
        members
    };
    let bounds = |low: Option<(String, bool)>, high: Option<(String, bool)>| TextTest::Between { low, high };
    Ok(match &test.condition {
        Condition::Eq(Value::Text(text)) => TextTest::Equal(text.clone(), true),
        Condition::Ne(Value::Text(text)) => TextTest::Equal(text.clone(), false),
        Condition::In(values) => TextTest::In(members(values), true),
        Condition::NotIn(values) => TextTest::In(members(values), false),
        Condition::Lt(Value::Text(text)) => bounds(None, Some((text.clone(), true))),
        Condition::Le(Value::Text(text)) => bounds(None, Some((text.clone(), false))),
        Condition::Gt(Value::Text(text)) => bounds(Some((text.clone(), true)), None),
        Condition::Ge(Value::Text(text)) => bounds(Some((text.clone(), false)), None),
        Condition::Between(Value::Text(low), Value::Text(high)) => bounds(Some((low.clone(), false)), Some((high.clone(), false))),
        Condition::Contains(needle) => TextTest::Contains(needle.clone()),
        Condition::StartsWith(prefix) => TextTest::StartsWith(prefix.clone()),
        Condition::EndsWith(suffix) => TextTest::EndsWith(suffix.clone()),
        Condition::IContains(needle) => TextTest::IContains(lower_simple(needle)),
        Condition::Like(pattern) => TextTest::Regex(compile_like(pattern, false)?, false),
        Condition::ILike(pattern) => TextTest::Regex(compile_like(pattern, true)?, true),
        Condition::Regex(pattern) => TextTest::Regex(compile_regex(pattern)?, false),
        _ => TextTest::Row(program),
    })
}

/// The rows of `within` for which `holds` is true, asked one by one.
fn filtered(within: &Mask, holds: impl Fn(usize) -> bool) -> Mask {
    let mut found = Mask::EMPTY;
    within.rows().filter(|row| holds(*row)).for_each(|row| found.set(row, true));
    found
}

impl TextTest {
    fn holds(&self, text: &str) -> bool {
        match self {
            TextTest::Equal(other, wanted) => (text == other) == *wanted,
            TextTest::In(members, wanted) => members.binary_search_by(|member| member.as_str().cmp(text)).is_ok() == *wanted,
            TextTest::Between { low, high } => {
                let above = low.as_ref().is_none_or(|(low, open)| if *open { text > low.as_str() } else { text >= low.as_str() });
                above && high.as_ref().is_none_or(|(high, open)| if *open { text < high.as_str() } else { text <= high.as_str() })
            }
            TextTest::Contains(needle) => text.contains(needle.as_str()),
            TextTest::StartsWith(prefix) => text.starts_with(prefix.as_str()),
            TextTest::EndsWith(suffix) => text.ends_with(suffix.as_str()),
            TextTest::IContains(needle) => lower_simple(text).contains(needle.as_str()),
            TextTest::Regex(pattern, false) => pattern.is_match(text),
            TextTest::Regex(pattern, true) => pattern.is_match(&lower_simple(text)),
            TextTest::Row(program) => program.holds_on(&[Value::Text(text.to_owned())]),
        }
    }

    fn run(&self, texts: &Texts, within: &Mask) -> Mask {
        filtered(within, |row| self.holds(texts.get(row)))
    }
}

impl Node {
    /// The rows of `within` for which the filter holds.
    pub(super) fn run(&self, chunk: &Chunk, within: &Mask) -> Mask {
        match self {
            Node::And(parts) => parts.iter().fold(*within, |left, part| if left.is_empty() { left } else { part.run(chunk, &left) }),
            Node::Or(parts) => parts.iter().fold(Mask::EMPTY, |found, part| found.or(&part.run(chunk, &within.without(&found)))),
            Node::Not(inner) => within.without(&inner.run(chunk, within)),
            Node::Id(test) => test.run(&chunk.ids, within),
            Node::Column { column, kind, nulls, test } => {
                let cells = &*chunk.columns[*column];
                let found = test.run(cells, kind, &within.and(&cells.valid));
                if *nulls { found.or(&within.without(&cells.valid)) } else { found }
            }
        }
    }

    /// Roughly, the nanoseconds a row.
    pub(super) fn cost(&self) -> usize {
        match self {
            Node::And(parts) | Node::Or(parts) => parts.iter().map(Node::cost).sum(),
            Node::Not(inner) => inner.cost(),
            Node::Id(test) => test.cost(),
            Node::Column { test, .. } => match test {
                ValueTest::Always(_) => 0,
                ValueTest::Whole { .. } | ValueTest::Float { .. } | ValueTest::Code(_) => 1,
                ValueTest::Words { .. } => 2,
                ValueTest::WholeIn { .. } => 5,
                ValueTest::Text(test) => test.cost(),
                ValueTest::Length(_) | ValueTest::Has { .. } => 20,
                ValueTest::Path(..) | ValueTest::Row(_) => 100,
            },
        }
    }
}

impl TextTest {
    fn cost(&self) -> usize {
        match self {
            TextTest::Equal(..) | TextTest::StartsWith(_) | TextTest::EndsWith(_) => 5,
            TextTest::In(..) | TextTest::Between { .. } => 10,
            TextTest::Contains(_) => 50,
            TextTest::IContains(_) => 100,
            TextTest::Regex(..) | TextTest::Row(_) => 200,
        }
    }
}

impl ValueTest {
    /// The rows of `within`, all of which have a value, that satisfy the test.
    fn run(&self, cells: &Cells, kind: &Kind, within: &Mask) -> Mask {
        if within.is_empty() {
            return *within;
        }
        match (self, &cells.data) {
            (ValueTest::Always(holds), _) => {
                if *holds {
                    *within
                } else {
                    Mask::EMPTY
                }
            }
            (ValueTest::Whole { low, high, inside }, Data::Whole(values)) => {
                let (low, width) = (*low, high.wrapping_sub(*low) as u64);
                // One comparison for both bounds: what lies below wraps around to a great number.
                let found = Mask::of_values_in(values, within, |n| n.wrapping_sub(low) as u64 <= width);
                if *inside { within.and(&found) } else { within.without(&found) }
            }
            (ValueTest::WholeIn { members, inside }, Data::Whole(values)) => {
                let found = Mask::of_values_in(values, within, |n| members.binary_search(&n).is_ok());
                if *inside { within.and(&found) } else { within.without(&found) }
            }
            (ValueTest::Float { low, high, open, inside }, Data::Float(values)) => {
                let (low, high) = (*low, *high);
                let found = match open {
                    (false, false) => Mask::of_values_in(values, within, |n| (n >= low) & (n <= high)),
                    (true, _) => Mask::of_values_in(values, within, |n| (n > low) & (n <= high)),
                    (_, true) => Mask::of_values_in(values, within, |n| (n >= low) & (n < high)),
                };
                if *inside { within.and(&found) } else { within.without(&found) }
            }
            (ValueTest::Code(answers), Data::Bool(bits)) => {
                let answer = |code: usize| answers.get(code).copied().unwrap_or(false);
                let yes = if answer(1) { within.and(bits) } else { Mask::EMPTY };
                if answer(0) { yes.or(&within.without(bits)) } else { yes }
            }
            (ValueTest::Code(answers), Data::Code(codes)) => {
                within.and(&Mask::of_values(codes, |code| answers.get(usize::from(code)).copied().unwrap_or(false)))
            }
            (ValueTest::Text(test), Data::Text(texts) | Data::Words(texts, _)) => test.run(texts, within),
            (ValueTest::Words { words, phrase }, Data::Words(texts, index)) => index.search(texts, words, *phrase, within),
            (ValueTest::Words { words, phrase }, Data::Text(texts)) => {
                filtered(within, |row| super::words::holds(texts.get(row), words, *phrase))
            }
            (ValueTest::Length(program), Data::Packed(blobs)) => {
                let length = |row: usize| Reader(blobs.get(row)).length().map_or(Value::Null, |items| Value::Int(items as i64));
                filtered(within, |row| program.holds_on(&[length(row)]))
            }
            (ValueTest::Path(path, program), Data::Packed(blobs)) => {
                filtered(within, |row| program.holds_on(&[Reader(blobs.get(row)).path(path)]))
            }
            (ValueTest::Has { items, all }, Data::Packed(blobs)) => filtered(within, |row| {
                let list = Reader(blobs.get(row));
                if *all { items.iter().all(|item| list.has(item)) } else { items.iter().any(|item| list.has(item)) }
            }),
            (ValueTest::Row(program), _) => filtered(within, |row| program.holds_on(&[cells.value(kind, row)])),
            _ => Mask::EMPTY,
        }
    }
}
