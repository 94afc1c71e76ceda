//! Functions of ours inside SQL, registered on every database, for what DuckDB has not or means otherwise.
//!
//! | function | meaning |
//! |---|---|
//! | `hb_icontains(text, needle)` | substring after simple lower-casing; the needle is lowered already |
//! | `hb_ilike(text, pattern)` | `%`, `_`, `\` as `docs/semantics.md` says, after simple lower-casing |
//! | `hb_regex(text, pattern)` | Rust `regex` |
//! | `hb_json_equal(json, json)` | kinds strict, numbers by value |
//! | `hb_path(json, test)` | a test of what lies at a path |
//!
//! A null argument gives null.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, RecordBatch};
use duckdb::arrow::datatypes::DataType;
use duckdb::vscalar::arrow::{ArrowFunctionSignature, VArrowScalar};
use regex::Regex;

use crate::backends::embedded::json_path::PathTest;
use crate::filter::{compile_like, compile_regex};
use crate::types::{Json, json_equal, lower_simple};

type Failed = Box<dyn Error>;

/// Registers all of them.
///
/// # Errors
/// When DuckDB refuses, which it does not.
pub fn register(connection: &Connection) -> duckdb::Result<()> {
    connection.register_scalar_function::<IContains>("hb_icontains")?;
    connection.register_scalar_function::<ILike>("hb_ilike")?;
    connection.register_scalar_function::<Matches>("hb_regex")?;
    connection.register_scalar_function::<JsonEqual>("hb_json_equal")?;
    connection.register_scalar_function::<Path>("hb_path")
}

/// A test of the text in the first column, with the operand in the second: the same in every row, as a rule, so that it is
/// prepared when it changes.
fn test<P>(
    input: &RecordBatch,
    prepare: impl Fn(&str) -> Result<P, Failed>,
    holds: impl Fn(&P, &str) -> Result<bool, Failed>,
) -> Result<ArrayRef, Failed> {
    let column = |at: usize| input.columns().get(at).and_then(|column| column.as_string_opt::<i32>()).ok_or("an argument that is no text");
    let (texts, operands) = (column(0)?, column(1)?);
    let mut answers = BooleanBuilder::with_capacity(texts.len());
    let mut prepared: Option<(&str, P)> = None;
    for row in 0..texts.len() {
        if texts.is_null(row) || operands.is_null(row) {
            answers.append_null();
            continue;
        }
        let operand = operands.value(row);
        let with = match &mut prepared {
            Some((of, with)) if *of == operand => with,
            other => &mut other.insert((operand, prepare(operand)?)).1,
        };
        answers.append_value(holds(with, texts.value(row))?);
    }
    Ok(Arc::new(answers.finish()))
}

/// The last thing prepared on this thread: a statement comes in pieces of 2,048 rows, all with one operand.
type Kept<P> = RefCell<Option<(String, Rc<P>)>>;

fn kept<P>(kept: &Kept<P>, operand: &str, prepare: impl Fn(&str) -> Result<P, Failed>) -> Result<Rc<P>, Failed> {
    if let Some((of, with)) = &*kept.borrow()
        && of == operand
    {
        return Ok(with.clone());
    }
    let with = Rc::new(prepare(operand)?);
    *kept.borrow_mut() = Some((operand.to_owned(), with.clone()));
    Ok(with)
}

fn text_signature() -> Vec<ArrowFunctionSignature> {
    vec![ArrowFunctionSignature::exact(vec![DataType::Utf8, DataType::Utf8], DataType::Boolean)]
}

macro_rules! functions {
    ($($name:ident of $prepared:ty: $prepare:expr, $holds:expr;)*) => {$(
        struct $name;

        impl VArrowScalar for $name {
            type State = ();

            fn invoke(_: &(), input: RecordBatch) -> Result<ArrayRef, Failed> {
                thread_local! {
                    static KEPT: Kept<$prepared> = const { RefCell::new(None) };
                }
                test(&input, |operand| KEPT.with(|slot| kept(slot, operand, $prepare)), $holds)
            }

            fn signatures() -> Vec<ArrowFunctionSignature> {
                text_signature()
            }
        }
    )*};
}

functions! {
    IContains of String: |needle| Ok(needle.to_owned()), |needle, text| Ok(lower_simple(text).contains(needle.as_str()));
    ILike of Regex: |pattern| Ok(compile_like(pattern, true)?), |regex, text| Ok(regex.is_match(&lower_simple(text)));
    Matches of Regex: |pattern| Ok(compile_regex(pattern)?), |regex, text| Ok(regex.is_match(text));
    JsonEqual of Json: |json| Ok(serde_json::from_str(json)?), |wanted, json| Ok(json_equal(&serde_json::from_str(json)?, wanted));
    Path of PathTest: |test| PathTest::read(test.as_bytes()).map_err(|cause| -> Failed { cause }), |test, json| Ok(test.holds(Some(json.as_bytes()))?);
}
