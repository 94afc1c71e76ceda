//! The compiler's answers, the run-time answers and the README's matrix are one table: each cell of it is asked both ways.

use std::marker::PhantomData;

use super::table::{BackendRows, TABLE};
use super::{Operation, Placement, Ranks, Runs, Stores, Support, class, matrix, questions};
use crate::query::ScanOfEveryRow;
use crate::types::Metric;

/// What the compiler says of one kind of backend: `runs[operation][class][placement]`, in the order of the lists below.
pub(super) struct Compiled {
    pub(super) backend: &'static str,
    pub(super) runs: [[[bool; PLACEMENTS.len()]; CLASSES.len()]; OPERATIONS.len()],
    pub(super) stores: [[bool; PLACEMENTS.len()]; CLASSES.len()],
    pub(super) ranks: [bool; 3],
}

// A question to the compiler that may be answered with no: where the bound holds the type's own constant is found first,
// where not the trait's.
pub(super) struct RunsCell<K, O, C, P>(PhantomData<(K, O, C, P)>);
pub(super) struct StoresCell<K, C, P>(PhantomData<(K, C, P)>);
pub(super) struct RanksCell<K, M>(PhantomData<(K, M)>);

pub(super) trait No {
    const ANSWER: bool = false;
}

impl<T> No for T {}

impl<K: Runs<O, C, P>, O, C, P> RunsCell<K, O, C, P> {
    pub(super) const ANSWER: bool = true;
}

impl<K: Stores<C, P>, C, P> StoresCell<K, C, P> {
    pub(super) const ANSWER: bool = true;
}

impl<K: Ranks<M>, M> RanksCell<K, M> {
    pub(super) const ANSWER: bool = true;
}

macro_rules! lists {
    ([$($op:ident)*] [$($class:ident)*] $classes:tt [$($place:ident)*] $places:tt) => {
        const OPERATIONS: &[Operation] = &[$(Operation::$op),*];
        const CLASSES: &[&str] = &[$(stringify!($class)),*];
        const PLACEMENTS: &[Placement] = &[$(Placement::$place),*];

        /// Asks the compiler every question about a kind.
        macro_rules! compiled {
            ($kind:ty, $name:expr) => {{
                #[allow(unused_imports)]
                use $crate::capability::agreement::{Compiled, No, RanksCell, RunsCell, StoresCell, answer, by_class, by_placement};
                Compiled {
                    backend: $name,
                    runs: [$(by_class!(RunsCell [$kind, $crate::capability::op::$op] $classes $places)),*],
                    stores: by_class!(StoresCell [$kind] $classes $places),
                    ranks: [
                        <RanksCell<$kind, $crate::capability::op::metric::Cosine>>::ANSWER,
                        <RanksCell<$kind, $crate::capability::op::metric::L2>>::ANSWER,
                        <RanksCell<$kind, $crate::capability::op::metric::Dot>>::ANSWER,
                    ],
                }
            }};
        }
    };
}

macro_rules! by_class {
    ($cell:ident $first:tt [$($class:ident)*] $places:tt) => {
        [$(by_placement!($cell $first $class $places)),*]
    };
}

macro_rules! by_placement {
    ($cell:ident $first:tt $class:ident [$($place:ident)*]) => {
        [$(answer!($cell $first $class $place)),*]
    };
}

macro_rules! answer {
    ($cell:ident [$($first:ty),*] $class:ident $place:ident) => {
        <$cell<$($first,)* $crate::capability::class::$class, $crate::capability::placement::$place>>::ANSWER
    };
}

lists! {
    [Eq IsNull Compare Contains IContains Like ILike Regex Matches Has Length Path Near Sort GroupBy MinMax Sum]
    [Id Ref Bool Int Float Decimal Text Time Uuid Category Bytes Json List Vector]
    [Id Ref Bool Int Float Decimal Text Time Uuid Category Bytes Json List Vector]
    [InlineColumn JsonField SideTable VectorIndex InvertedIndex]
    [InlineColumn JsonField SideTable VectorIndex InvertedIndex]
}

pub(super) use {answer, by_class, by_placement, compiled};

fn cells() -> impl Iterator<Item = (usize, usize, usize)> {
    let pairs = |o| (0..CLASSES.len()).flat_map(move |c| (0..PLACEMENTS.len()).map(move |p| (o, c, p)));
    (0..OPERATIONS.len()).flat_map(pairs)
}

fn means(class: &str, operation: Operation) -> bool {
    class::MEANINGS.iter().any(|(name, operations)| *name == class && operations.contains(&operation))
}

fn rows(backend: &str) -> &'static BackendRows {
    TABLE.iter().find(|rows| rows.backend == backend).unwrap()
}

#[test]
fn the_lists_here_are_whole() {
    assert_eq!(OPERATIONS, Operation::ALL);
    assert_eq!(CLASSES, class::NAMES);
    assert_eq!(PLACEMENTS, Placement::ALL);
}

#[test]
fn what_compiles_is_what_the_run_time_answers() {
    let compiled = super::table::compiled();
    assert!(compiled.len() >= 2 && compiled.iter().any(|kind| kind.backend == "inmem"));
    for kind in &compiled {
        for (o, c, p) in cells() {
            let (operation, class, placement) = (OPERATIONS[o], CLASSES[c], PLACEMENTS[p]);
            let answer = questions::support(kind.backend, operation, class, placement);
            let expected = match (kind.stores[c][p], kind.runs[o][c][p], means(class, operation)) {
                (true, true, true) => Support::Native,
                (true, false, true) => Support::Scan,
                (_, false, false) | (false, false, true) => Support::No,
                // Runs what means nothing, or what it does not store.
                (_, true, _) => panic!("{}: `{operation}` compiles on {class} as {placement}", kind.backend),
            };
            assert_eq!(answer, expected, "{}: `{operation}` on {class} as {placement}", kind.backend);
        }
        for (c, p) in (0..CLASSES.len()).flat_map(|c| (0..PLACEMENTS.len()).map(move |p| (c, p))) {
            let row = rows(kind.backend).rows.iter().any(|row| row.classes.contains(&CLASSES[c]) && row.placement == PLACEMENTS[p]);
            assert_eq!(kind.stores[c][p], row, "{} stores {} as {}", kind.backend, CLASSES[c], PLACEMENTS[p]);
        }
        let ranks = [Metric::Cosine, Metric::L2, Metric::Dot].map(|metric| rows(kind.backend).metrics.contains(&metric));
        assert_eq!(kind.ranks, ranks, "{} ranks by cosine, l2, dot", kind.backend);
    }
}

#[test]
fn a_scanned_field_runs_what_means_something_and_nothing_else() {
    let scanned = compiled!(ScanOfEveryRow, "scan");
    for (o, c, p) in cells() {
        assert_eq!(scanned.runs[o][c][p], means(CLASSES[c], OPERATIONS[o]), "`{}` on {}", OPERATIONS[o], CLASSES[c]);
    }
}

#[test]
#[cfg(all(feature = "sqlite", feature = "file"))]
fn one_of_two_kinds_runs_what_both_run() {
    use crate::backends::{FileStore, InMem, OneOf, Sqlite};
    let kinds = [compiled!(InMem, "inmem"), compiled!(Sqlite, "sqlite"), compiled!(FileStore, "file")];
    for (either, [a, b]) in [(compiled!(OneOf<(InMem, Sqlite)>, ""), [0, 1]), (compiled!(OneOf<(Sqlite, FileStore)>, ""), [1, 2])] {
        for (o, c, p) in cells() {
            let both = kinds[a].runs[o][c][p] && kinds[b].runs[o][c][p];
            assert_eq!(either.runs[o][c][p], both, "`{}` on {} as {}", OPERATIONS[o], CLASSES[c], PLACEMENTS[p]);
            assert_eq!(either.stores[c][p], kinds[a].stores[c][p] && kinds[b].stores[c][p], "{} as {}", CLASSES[c], PLACEMENTS[p]);
        }
        assert_eq!(either.ranks, [0, 1, 2].map(|m| kinds[a].ranks[m] && kinds[b].ranks[m]));
    }
}

#[test]
fn the_matrix_says_what_compiles() {
    let text = matrix::markdown();
    let line = |first: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.split('|').nth(1).is_some_and(|cell| cell.trim() == first)).unwrap();
        line.split('|').skip(2).map(|cell| cell.trim().to_owned()).collect()
    };
    let kinds = line("");
    for kind in super::table::compiled() {
        let column = kinds.iter().position(|name| name == kind.backend).unwrap();
        for (o, operation) in OPERATIONS.iter().enumerate() {
            let stored: Vec<usize> =
                (0..CLASSES.len()).filter(|c| means(CLASSES[*c], *operation) && kind.stores[*c].contains(&true)).collect();
            let native = stored.iter().filter(|c| kind.runs[o][**c].contains(&true)).count();
            let expected = match native {
                _ if stored.is_empty() => "·",
                0 => "○",
                all if all == stored.len() => "●",
                _ => "◐",
            };
            assert_eq!(line(&format!("`{operation}`"))[column], expected, "`{operation}` on {}", kind.backend);
        }
    }
}

/// Also of backends without their feature, which no compiler has looked at here.
#[test]
fn the_table_says_each_thing_once_and_nothing_without_a_meaning() {
    for backend in TABLE {
        let mut places = Vec::new();
        for row in backend.rows {
            for class in row.classes {
                assert!(!places.contains(&(*class, row.placement)), "{}: two rows of {class} as {}", backend.backend, row.placement);
                places.push((*class, row.placement));
                for (position, operation) in row.native.iter().enumerate() {
                    assert!(means(class, *operation), "{}: `{operation}` means nothing on {class}", backend.backend);
                    assert!(!row.native[..position].contains(operation), "{}: `{operation}` twice", backend.backend);
                }
            }
        }
        let searched = backend.rows.iter().any(|row| row.native.contains(&Operation::Near));
        assert_eq!(searched, !backend.metrics.is_empty(), "{}: a search has metrics, and metrics a search", backend.backend);
        assert!(TABLE.iter().filter(|other| other.backend == backend.backend).count() == 1, "{} twice", backend.backend);
        assert!(matrix::PROOFS.iter().filter(|(name, _)| *name == backend.backend).count() <= 1, "{} proved twice", backend.backend);
    }
    for (name, _) in matrix::PROOFS {
        assert!(TABLE.iter().any(|backend| backend.backend == *name), "a proof of `{name}`, which is no backend");
    }
}
