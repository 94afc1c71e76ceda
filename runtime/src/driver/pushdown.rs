use super::SubQuery;
use crate::capability::{Support, questions};
use crate::filter::{Filter, Test};
use crate::schema::Part;

/// What a driver takes of a sub-query. Trino's rule: when taking more would risk a wrong answer, it takes less.
#[derive(Clone, Debug, PartialEq)]
pub struct Pushdown {
    /// The conditions that the driver checks itself.
    pub taken: Filter,
    /// The conditions that the caller must check on the rows it gets. Order, limit and near can only be taken when
    /// this holds on every row.
    pub remainder: Filter,
    /// Whether rows come in the order asked for.
    pub order: bool,
    /// Whether limit and offset are kept.
    pub limit: bool,
    /// Whether the search is run, on the filtered rows.
    pub near: bool,
    /// The native text, with placeholders for bound values: SQL, a JSON body, or a description.
    pub text: String,
}

/// Splits a filter's conjunction into what satisfies `takes` and the rest.
pub fn split_conjunction(filter: &Filter, takes: &dyn Fn(&Filter) -> bool) -> (Filter, Filter) {
    let (taken, rest): (Vec<_>, Vec<_>) = filter.clone().into_conjuncts().into_iter().partition(|f| takes(f));
    (Filter::conjunction(taken), Filter::conjunction(rest))
}

/// Whether the capability table lets the part's kind run a test natively. The id can be tested everywhere.
pub fn native_only(part: &Part, test: &Test) -> bool {
    if test.field == crate::schema::ID_COLUMN {
        return true;
    }
    part.column(&test.field).is_some_and(|(_, column)| {
        questions::support(part.kind, test.operation(), column.logical.class(), column.placement) == Support::Native
    })
}

impl Pushdown {
    /// Everything is taken.
    pub fn everything(wanted: &SubQuery, text: impl Into<String>) -> Self {
        Pushdown { taken: wanted.filter.clone(), remainder: Filter::all(), order: true, limit: true, near: true, text: text.into() }
    }

    /// The conditions that satisfy `takes`; order, limit and search only if those are all.
    pub fn of_filter(wanted: &SubQuery, takes: &dyn Fn(&Filter) -> bool, text: impl Into<String>) -> Self {
        let (taken, remainder) = split_conjunction(&wanted.filter, takes);
        let whole = remainder.is_all();
        Pushdown { taken, remainder, order: whole, limit: whole, near: whole, text: text.into() }
    }
}
