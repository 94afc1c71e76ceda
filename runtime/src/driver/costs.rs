//! What the ways to the nearest rows cost a backend.

/// What a vector search costs, in nanoseconds, as far as it grows: the planner weighs with it whether rows that a filter on
/// another backend lets through are compared by their ids, or more of the nearest are asked for and those looked up there.
/// Wrong figures make a search slower, never wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchCosts {
    /// To send the id of one row and compare that row.
    pub candidate: u64,
    /// To look at one row in a search of all of them: nothing where an index leads to the nearest.
    pub row: u64,
    /// To find and return one hit more.
    pub hit: u64,
    /// So many ids are searched among by the backend's own search: it finds as much as comparing them does, and costs less.
    /// `None` where it does not, or does so whatever it is asked.
    pub searches_among: Option<usize>,
    /// How far scores may be off that the backend tells without a second look at rows whose scores are close; `None` where it has
    /// no use for leaving that to the caller.
    pub rough: Option<f64>,
    /// Whether what lies far down the order is found as surely as what comes first: else a search for more than are wanted in
    /// the end compares all rows.
    pub finds_far: bool,
}

impl SearchCosts {
    /// Of a backend in this process that compares all its rows, of vectors so long.
    pub fn in_process(length: usize) -> Self {
        // Looking at a vector costs little besides its numbers, of which four take one.
        SearchCosts { candidate: 600, row: 10 + length as u64 / 4, hit: 0, searches_among: None, rough: None, finds_far: true }
    }

    /// Of a server that compares all its rows, of vectors so long.
    pub fn of_server(length: usize) -> Self {
        SearchCosts { candidate: 1_000, row: 50 + length as u64, hit: 1_000, searches_among: None, rough: None, finds_far: true }
    }

    /// The same with an index that leads to the nearest; a hit costs its steps there.
    #[must_use]
    pub fn indexed(self, hit: u64) -> Self {
        SearchCosts { row: 0, hit, ..self }
    }
}
