//! What became of the rows of a call that goes by batches, when one of them fails.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Error, RowOutcome, Status};
use crate::types::Id;

/// How far a call is.
#[derive(Debug)]
pub(super) struct Batches {
    /// Whether rows lie on several backends: what one of them says of a row is not all then.
    several: bool,
    /// The rows of the batch under way; those before are done.
    at: Range<usize>,
    /// Whether rows of that batch are written, on the owner at least.
    begun: bool,
}

impl Batches {
    /// A call that begins, of an entity on so many backends.
    pub(super) fn over(backends: usize) -> Self {
        Batches { several: backends > 1, at: 0..0, begun: false }
    }

    /// The next batch begins, of so many rows.
    pub(super) fn next(&mut self, rows: usize) {
        *self = Batches { at: self.at.end..self.at.end + rows, begun: false, several: self.several };
    }

    /// Notes whether rows of the batch under way were written.
    pub(super) fn wrote(&mut self, some: bool) {
        self.begun |= some;
    }

    /// The error of the batch under way, with what became of each row of the call. "Nothing was changed" is not said of a call of
    /// which something was.
    pub(super) fn failed(&self, error: Error, ids: &[Id]) -> Error {
        if self.at.is_empty() {
            return error;
        }
        let unknown = self.begun || error.status() == Status::Unknown;
        let otherwise = if unknown { RowOutcome::Unknown } else { RowOutcome::NotDone };
        let told: HashMap<&str, &RowOutcome> = error.rows().collect();
        let outcome = |(row, id): (usize, &Id)| {
            let outcome = match row {
                _ if row < self.at.start => RowOutcome::Done,
                _ if row >= self.at.end => RowOutcome::NotDone,
                _ => match told.get(id.as_str()) {
                    Some(told @ RowOutcome::Refused(_)) => (*told).clone(),
                    Some(told) if !self.several => (*told).clone(),
                    _ => otherwise.clone(),
                },
            };
            (id.as_str().to_owned(), outcome)
        };
        let rows = ids.iter().enumerate().map(outcome).collect();
        let status = if self.at.start > 0 || self.begun { Status::Unknown } else { error.status() };
        error.with_status(status).with_rows(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn outcomes(error: &Error) -> Vec<RowOutcome> {
        error.rows().map(|(_, outcome)| outcome.clone()).collect()
    }

    #[test]
    fn rows_before_are_done_and_those_behind_are_not() {
        use RowOutcome::{Done, NotDone, Refused, Unknown};
        let ids: Vec<Id> = (0..5).map(|n| Id::from(format!("r{n}"))).collect();
        let refused = || Error::new(ErrorKind::UniqueViolation, "taken");
        let mut batches = Batches::over(2);
        assert!(outcomes(&batches.failed(refused(), &ids)).is_empty(), "nothing was tried");
        batches.next(2);
        let error = batches.failed(refused(), &ids);
        assert_eq!((outcomes(&error), error.status()), (vec![NotDone; 5], Status::Permanent));
        batches.next(2);
        let error = batches.failed(refused(), &ids);
        assert_eq!((outcomes(&error), error.status()), (vec![Done, Done, NotDone, NotDone, NotDone], Status::Unknown));
        let lost = Error::new(ErrorKind::Unavailable, "gone").with_status(Status::Unknown);
        assert_eq!(outcomes(&batches.failed(lost, &ids)), [Done, Done, Unknown, Unknown, NotDone]);
        let told = refused().with_rows(vec![("r3".into(), Refused("why".into()))]);
        batches.wrote(true);
        assert_eq!(outcomes(&batches.failed(told, &ids)), [Done, Done, Unknown, Refused("why".into()), NotDone]);
    }

    #[test]
    fn a_row_is_done_where_all_its_backends_are() {
        use RowOutcome::{Done, NotDone, Refused, Unknown};
        let ids: Vec<Id> = (0..3).map(|n| Id::from(format!("r{n}"))).collect();
        let half = || {
            let rows = [("r0", Done), ("r1", Refused("why".into())), ("r2", NotDone)];
            let rows = rows.map(|(id, outcome)| (id.to_owned(), outcome)).into();
            Error::new(ErrorKind::InvalidValue, "half").with_status(Status::Unknown).with_rows(rows)
        };
        let failed = |backends: usize| {
            let mut batches = Batches::over(backends);
            batches.next(3);
            outcomes(&batches.failed(half(), &ids))
        };
        assert_eq!(failed(1), [Done, Refused("why".into()), NotDone]);
        assert_eq!(failed(2), [Unknown, Refused("why".into()), Unknown], "the others were not asked yet");
    }
}
