use crate::error::{Error, ErrorKind, Result};
use crate::types::{LogicalType, Value};

/// A statement of the application's own, in the engine's words, with the values bound to it in order.
#[derive(Clone, Debug)]
pub struct RawStatement {
    /// The text, with the engine's placeholders.
    pub text: String,
    /// The values, each with the type it was given as; null has one too.
    pub values: Vec<(LogicalType, Value)>,
    /// What is read of its rows.
    pub wanted: RawColumns,
}

/// The columns that a row is read from, with the type of each and whether it may be null.
#[derive(Clone, Debug)]
pub enum RawColumns {
    /// All columns, in the statement's order: what a tuple reads.
    InOrder(Vec<RawColumn>),
    /// The columns of these names, whatever else there is: what a struct reads.
    ByName(Vec<(String, RawColumn)>),
    /// None: the rows are not looked at.
    None,
}

/// How one column is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawColumn {
    /// The type that it is read as.
    pub logical: LogicalType,
    /// Whether null is a value of it.
    pub nullable: bool,
}

/// What a statement gave.
#[derive(Clone, Debug, Default)]
pub struct RawAnswer {
    /// The names of the values in a row.
    pub names: Vec<String>,
    /// The rows, in the order that was asked for; values of the types that were asked for.
    pub rows: Vec<Vec<Value>>,
    /// How many rows the statement inserted, updated or deleted.
    pub changed: u64,
}

impl RawColumns {
    /// Which of a statement's columns are read, and how: positions in `names`, in the order of the row.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when there are more or fewer columns than a tuple has, or none of a name, or two.
    pub fn of(&self, names: &[&str]) -> Result<Vec<(usize, RawColumn)>> {
        let refusal = |why: String| Error::new(ErrorKind::InvalidQuery, why);
        match self {
            RawColumns::None => Ok(Vec::new()),
            RawColumns::InOrder(columns) if columns.len() == names.len() => Ok(columns.iter().copied().enumerate().collect()),
            RawColumns::InOrder(columns) => Err(refusal(format!(
                "the statement gives {} columns ({}), the row reads {}: select as many",
                names.len(),
                names.join(", "),
                columns.len()
            ))),
            RawColumns::ByName(columns) => {
                let place = |(name, column): &(String, RawColumn)| {
                    let mut places = names.iter().enumerate().filter(|(_, there)| *there == name).map(|(place, _)| place);
                    match (places.next(), places.next()) {
                        (Some(place), None) => Ok((place, *column)),
                        (Some(_), Some(_)) => {
                            Err(refusal("the statement gives two columns of this name: name one otherwise with AS".into()))
                        }
                        (None, _) => {
                            let why =
                                format!("the statement gives no column of this name, it gives {}: name one with AS", names.join(", "));
                            Err(refusal(why))
                        }
                    }
                    .map_err(|e: Error| e.at_field(name.clone()))
                };
                columns.iter().map(place).collect()
            }
        }
    }
}

impl RawStatement {
    /// Checks that so many values are bound as the statement takes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when there are more or fewer.
    pub fn check_values(&self, taken: usize) -> Result<()> {
        if taken == self.values.len() {
            return Ok(());
        }
        let why = format!("the statement takes {taken} values and {} are bound: call bind once for each placeholder", self.values.len());
        Err(Error::new(ErrorKind::InvalidQuery, why))
    }
}

impl RawAnswer {
    /// The error of a column that is not of the type that is read from it.
    pub fn mismatch(name: &str, there: &str, asked: &LogicalType) -> Error {
        let why = format!("the column is {there}, and is read as {asked}: cast it in the statement, or read it as what it is");
        Error::new(ErrorKind::InvalidQuery, why).at_field(name.to_owned())
    }

    /// Adds a value to a row; refuses a null where none may be.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] naming the column.
    pub fn push(row: &mut Vec<Value>, name: &str, column: &RawColumn, value: Value) -> Result<()> {
        if value.is_null() && !column.nullable {
            let why = format!("the column holds a null, and is read as {} that is not optional: read it as Option", column.logical);
            return Err(Error::new(ErrorKind::InvalidQuery, why).at_field(name.to_owned()));
        }
        row.push(value);
        Ok(())
    }
}

/// The error of a bound value that the statement takes as something else; `number` counts from 1.
pub fn wrong_value(number: usize, given: &LogicalType, taken: &str) -> Error {
    let why = format!(
        "the value {number} is bound as {given}, and the statement takes {taken} there: cast the placeholder, or bind another type"
    );
    Error::new(ErrorKind::InvalidQuery, why)
}
