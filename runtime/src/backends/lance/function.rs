//! A function of ours inside Lance's scan: a test that Lance's own functions would answer otherwise than we do.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use lance::deps::datafusion::arrow::array::{Array, BooleanArray};
use lance::deps::datafusion::arrow::datatypes::DataType;
use lance::deps::datafusion::common::DataFusionError;
use lance::deps::datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::codec::{self, Texts};
use crate::error::Result;
use crate::filter::{Condition, Filter, Program, Target, Test};
use crate::types::LogicalType;

/// One test of one column, or its complement.
struct Holds {
    test: Test,
    positive: bool,
    logical: LogicalType,
    program: Program,
    signature: Signature,
}

/// The test as an expression over a column; never null.
pub(super) fn holds(test: &Test, positive: bool, logical: LogicalType, column: Expr) -> Result<Expr> {
    let program = Program::new(&Filter::from(test.clone()), &|_| Some(0))?;
    let signature = Signature::any(1, Volatility::Immutable);
    let function = ScalarUDF::new_from_impl(Holds { test: test.clone(), positive, logical, program, signature });
    Ok(function.call(vec![column]))
}

// Values stay out of plans and logs.
impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holds({})", self.test.operation())
    }
}

impl PartialEq for Holds {
    fn eq(&self, other: &Self) -> bool {
        self.positive == other.positive && self.logical == other.logical && self.test == other.test
    }
}

impl Eq for Holds {}

impl Hash for Holds {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.positive.hash(state);
        self.test.field.hash(state);
        self.test.operation().hash(state);
    }
}

impl Holds {
    fn over(&self, array: &dyn Array) -> Result<BooleanArray> {
        let substring: Option<(&str, fn(&str, &str) -> bool)> = match (&self.test.target, &self.test.condition) {
            (Target::Value, Condition::Contains(needle)) => Some((needle, |text, needle| text.contains(needle))),
            (Target::Value, Condition::StartsWith(prefix)) => Some((prefix, |text, prefix| text.starts_with(prefix))),
            (Target::Value, Condition::EndsWith(suffix)) => Some((suffix, |text, suffix| text.ends_with(suffix))),
            _ => None,
        };
        // Without a copy of each text where that is easy.
        if let (Some((needle, found)), Some(texts)) = (substring, Texts::of(array)) {
            let holds = |row| (!array.is_null(row) && found(texts.get(row), needle)) == self.positive;
            return Ok((0..array.len()).map(|row| Some(holds(row))).collect());
        }
        let values = codec::values(&self.logical, array)?;
        Ok(values.iter().map(|value| Some(self.program.holds(&|_| value) == self.positive)).collect())
    }
}

impl ScalarUDFImpl for Holds {
    fn name(&self) -> &str {
        "heavenbase_holds"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let Some(column) = args.args.first() else {
            return Err(DataFusionError::Internal("heavenbase_holds takes a column".to_owned()));
        };
        let array = column.to_array(args.number_rows)?;
        let held = self.over(&array).map_err(|e| DataFusionError::External(Box::new(e)))?;
        Ok(ColumnarValue::Array(Arc::new(held)))
    }
}
