//! The cases that run are the capability table: each cell that it calls native is asked of a driver of that kind by some
//! case, each metric with it, and nothing else is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use heavenbase::capability::table::{BackendRows, TABLE};
use heavenbase::capability::{Operation, class};
use heavenbase_tests::backends;
use heavenbase_tests::conformance::{DriverSetup, cases};
use heavenbase_tests::recording::{Cell, Recording};
use heavenbase_tests::simple::Simple;

/// The cells that a backend claims.
fn claimed(backend: &'static BackendRows) -> BTreeSet<Cell> {
    let mut cells = BTreeSet::new();
    for row in backend.rows {
        for (class, operation) in row.classes.iter().flat_map(|class| row.native.iter().map(move |operation| (*class, *operation))) {
            let place = row.placement.name();
            if operation == Operation::Near {
                cells.extend(backend.metrics.iter().map(|metric| (operation.name(), class, place, metric.name())));
            } else {
                cells.insert((operation.name(), class, place, ""));
            }
        }
    }
    cells
}

#[tokio::test]
async fn the_cases_ask_each_cell_that_the_table_claims_and_no_other() {
    for backend in TABLE {
        let driver = Arc::new(Recording::new(Simple::new(backend.backend)));
        let setup = DriverSetup { seed: 1, ..DriverSetup::new(backend.backend, driver.clone()) };
        let named = ["filters::single", "order::sorted", "aggregates::measures", "search::near"];
        let mut run = 0;
        for case in cases().into_iter().filter(|case| case.applies_to(backend.backend)) {
            if named.iter().any(|name| case.name.starts_with(name)) {
                run += 1;
                assert_eq!(case.run(setup.clone()).await, Ok(()), "{} on {}", case.name, backend.backend);
            }
        }
        let (asked, claimed) = (driver.asked(), claimed(backend));
        let missing: Vec<_> = claimed.difference(&asked).collect();
        assert!(missing.is_empty(), "{}: no case asks {missing:?}", backend.backend);
        let beyond: Vec<_> = asked.difference(&claimed).collect();
        assert!(beyond.is_empty(), "{}: the table does not claim {beyond:?}, and a case asks it", backend.backend);
        println!("{}: {} cells asked by {run} cases", backend.backend, asked.len());
    }
}

#[test]
fn every_class_of_the_table_has_fields_to_test_it_with() {
    for name in class::NAMES {
        assert!(!heavenbase_tests::data::logicals(name).is_empty(), "no field of the class {name}");
    }
}

/// Cases are chosen by kind: a kind that is compiled in and not in the list of tested drivers would be claimed by the table
/// and run by nobody.
#[test]
fn every_kind_that_is_compiled_in_is_tested() {
    let tested: BTreeSet<&str> = backends::all().iter().map(|tested| tested.kind).collect();
    for kind in &tested {
        assert!(TABLE.iter().any(|backend| backend.backend == *kind), "`{kind}` is tested, and is no kind of the table");
    }
    for kind in heavenbase::backends::COMPILED {
        assert!(tested.contains(kind), "`{kind}` is compiled in, and no driver of it is tested");
    }
}
