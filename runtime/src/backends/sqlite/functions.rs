//! Functions of ours inside SQL, registered on every connection, for what SQLite has not or means otherwise.
//!
//! | function | meaning |
//! |---|---|
//! | `hb_ends_with(text, suffix)` | case-sensitive suffix |
//! | `hb_icontains(text, needle)` | substring after simple lower-casing; the needle is lowered already |
//! | `hb_like(text, pattern)`, `hb_ilike(…)` | `%`, `_`, `\` as `docs/semantics.md` says |
//! | `hb_regex(text, pattern)` | Rust `regex` |
//! | `hb_json_equal(json, json)` | kinds strict, numbers by value |
//! | `hb_path(json, test)` | a test of what lies at a path; never null |
//! | `hb_has_any(list, items)`, `hb_has_all(…)` | on JSON arrays |
//! | `hb_cosine(vector, query)`, `hb_l2`, `hb_dot` | scores, higher is better |
//! | `hb_uuid(bytes)` | the text of a UUID of 16 bytes |
//! | `hb_sum(integer)` | aggregate: the exact sum, an error when it leaves 64 bits |
//!
//! A null argument gives null, `hb_path` apart.

use regex::Regex;
use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;

use crate::backends::embedded::json_path::PathTest;
use crate::error::Error;
use crate::filter::{compile_like, compile_regex};
use crate::types::{Json, Metric, Uuid, json_equal, lower_simple};

const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_DETERMINISTIC).union(FunctionFlags::SQLITE_INNOCUOUS);

/// The text of the error when a sum leaves 64 bits.
pub(super) const OVERFLOW: &str = "integer overflow";

/// Registers all of them.
///
/// # Errors
/// When SQLite refuses, which it does not.
pub fn register(connection: &Connection) -> rusqlite::Result<()> {
    text(connection, "hb_ends_with", |text, suffix| text.ends_with(suffix))?;
    text(connection, "hb_icontains", |text, needle| lower_simple(text).contains(needle))?;
    pattern(connection, "hb_like", |pattern| compile_like(pattern, false), false)?;
    pattern(connection, "hb_ilike", |pattern| compile_like(pattern, true), true)?;
    pattern(connection, "hb_regex", compile_regex, false)?;
    json(connection, "hb_json_equal", json_equal)?;
    json(connection, "hb_has_any", |list, wanted| each(wanted).iter().any(|w| each(list).iter().any(|i| json_equal(i, w))))?;
    json(connection, "hb_has_all", |list, wanted| each(wanted).iter().all(|w| each(list).iter().any(|i| json_equal(i, w))))?;
    connection.create_scalar_function("hb_path", 2, FLAGS, path)?;
    for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
        connection.create_scalar_function(score_name(metric), 2, FLAGS, move |context| score(context, metric))?;
    }
    connection.create_scalar_function("hb_uuid", 1, FLAGS, |context| {
        let uuid = context.get_raw(0).as_blob_or_null().ok().flatten().and_then(|bytes| Uuid::from_slice(bytes).ok());
        Ok(uuid.map(|uuid| uuid.to_string()))
    })?;
    connection.create_aggregate_function("hb_sum", 1, FLAGS, Sum)
}

/// The function that scores by a metric.
pub(super) const fn score_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "hb_cosine",
        Metric::L2 => "hb_l2",
        Metric::Dot => "hb_dot",
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(error.into())
}

/// The text of an argument; `None` for null and for what is no text.
fn argument<'c>(context: &'c Context<'_>, position: usize) -> Option<&'c str> {
    match context.get_raw(position) {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

fn text(connection: &Connection, name: &str, holds: impl Fn(&str, &str) -> bool + Send + 'static) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, 2, FLAGS, move |context| {
        Ok(argument(context, 0).zip(argument(context, 1)).map(|(text, other)| holds(text, other)))
    })
}

fn pattern(
    connection: &Connection,
    name: &str,
    compile: impl Fn(&str) -> Result<Regex, Error> + Send + 'static,
    lower: bool,
) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, 2, FLAGS, move |context| {
        // Compiled once a statement: the pattern is a bound value, which SQLite keeps this beside.
        let regex = context.get_or_create_aux(1, |pattern| -> Result<Regex, Box<dyn std::error::Error + Send + Sync>> {
            Ok(compile(pattern.as_str()?)?)
        })?;
        Ok(argument(context, 0).map(|text| if lower { regex.is_match(&lower_simple(text)) } else { regex.is_match(text) }))
    })
}

fn parse(value: ValueRef<'_>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
    Ok(serde_json::from_slice(value.as_bytes()?)?)
}

fn each(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn json(connection: &Connection, name: &str, holds: impl Fn(&Json, &Json) -> bool + Send + 'static) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, 2, FLAGS, move |context| {
        let stored = context.get_raw(0);
        if stored == ValueRef::Null {
            return Ok(None);
        }
        let wanted = context.get_or_create_aux(1, parse)?;
        Ok(Some(holds(&parse(stored).map_err(failed)?, &wanted)))
    })
}

fn path(context: &Context<'_>) -> rusqlite::Result<bool> {
    let test = context.get_or_create_aux(1, |test| PathTest::read(test.as_bytes()?))?;
    let json = match context.get_raw(0) {
        ValueRef::Null => None,
        stored => Some(stored.as_bytes().map_err(failed)?),
    };
    test.holds(json).map_err(failed)
}

/// The vector searched from, and the square of its length.
struct Query(Vec<f32>, f64);

fn score(context: &Context<'_>, metric: Metric) -> rusqlite::Result<Option<f64>> {
    let ValueRef::Blob(stored) = context.get_raw(0) else { return Ok(None) };
    let query = context.get_or_create_aux(1, |query| -> Result<Query, Box<dyn std::error::Error + Send + Sync>> {
        let numbers: Vec<f32> = numbers(query.as_blob()?).collect();
        let square = numbers.iter().map(|n| f64::from(*n) * f64::from(*n)).sum();
        Ok(Query(numbers, square))
    })?;
    let Query(wanted, square) = &*query;
    Ok(Some(match metric {
        Metric::Dot => lanes(stored, wanted, |a, b| a * b),
        Metric::L2 => -lanes(stored, wanted, |a, b| (a - b) * (a - b)).sqrt(),
        Metric::Cosine => {
            let product = (lanes(stored, wanted, |a, _| a * a) * square).sqrt();
            if product == 0.0 { 0.0 } else { lanes(stored, wanted, |a, b| a * b) / product }
        }
    }))
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// Sums `term` over the pairs, in eight sums side by side so that the processor can.
fn lanes(stored: &[u8], wanted: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    const WIDTH: usize = 8;
    let mut sums = [0.0; WIDTH];
    let (blocks, rest) = (stored.chunks_exact(4 * WIDTH), wanted.chunks_exact(WIDTH));
    let tail = numbers(blocks.remainder()).zip(rest.remainder()).map(|(a, b)| term(a.into(), (*b).into())).sum::<f64>();
    for (block, wanted) in blocks.zip(rest) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            let at = 4 * lane;
            let a = f32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
            *sum += term(a.into(), wanted[lane].into());
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// The exact sum of integers.
struct Sum;

impl Aggregate<Option<i128>, Option<i64>> for Sum {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<i128>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<i128>) -> rusqlite::Result<()> {
        if let ValueRef::Integer(n) = context.get_raw(0) {
            *sum = Some(sum.unwrap_or(0) + i128::from(n));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<i128>>) -> rusqlite::Result<Option<i64>> {
        sum.flatten().map(|sum| i64::try_from(sum).map_err(|_| failed(OVERFLOW))).transpose()
    }
}
