//! What every driver must do, one case at a time, chosen by the capability table.
//!
//! [`run`] runs all cases that apply on one driver; [`cases`] hands them out one by one, for a test harness.

mod aggregates;
mod context;
mod durable;
mod estimate;
mod filters;
mod hostile;
mod many;
mod metamorphic;
mod order;
mod reads;
mod roundtrip;
mod schemas;
mod search;
mod select;
mod writes;

pub use context::{Context, DriverSetup, Failure, Outcome, namespace};
pub use durable::{Reopen, reopened};
pub use reads::existing;
pub use select::{Found, compare_rows, select};

use heavenbase::capability::table::{BackendRows, TABLE};

use crate::backends::Boxed;

/// Fails the case unless the condition holds.
#[macro_export]
macro_rules! check {
    ($condition:expr, $($text:tt)+) => {
        if !bool::from($condition) {
            return Err($crate::conformance::Failure(format!($($text)+)));
        }
    };
}

/// One case of the suite.
#[derive(Clone)]
pub struct Case {
    /// Its name: `filters::text`.
    pub name: String,
    /// Whether it means something on a backend with these capabilities.
    pub applies: fn(&BackendRows, &str) -> bool,
    /// The class it is about, empty for none.
    pub class: &'static str,
    run: for<'a> fn(&'a Context, &'static str) -> Boxed<'a, Outcome>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

fn always(_: &BackendRows, _: &str) -> bool {
    true
}

fn stores(backend: &BackendRows, class: &str) -> bool {
    backend.rows.iter().any(|row| row.classes.contains(&class))
}

macro_rules! cases {
    ($list:ident: $($applies:ident $module:ident::$name:ident;)*) => {$(
        $list.push(Case {
            name: concat!(stringify!($module), "::", stringify!($name)).to_owned(),
            applies: $applies,
            class: "",
            run: |context, _| Box::pin($module::$name(context)),
        });
    )*};
}

macro_rules! cases_of_each_class {
    ($list:ident: $($module:ident::$name:ident;)*) => {$(
        for class in heavenbase::capability::class::NAMES {
            $list.push(Case {
                name: format!("{}::{}::{}", stringify!($module), stringify!($name), class.to_lowercase()),
                applies: stores,
                class,
                run: |context, class| Box::pin($module::$name(context, class)),
            });
        }
    )*};
}

/// Whether the backend runs some vector search.
fn searches(backend: &BackendRows, _: &str) -> bool {
    !backend.metrics.is_empty()
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut list = Vec::new();
    cases_of_each_class! { list:
        roundtrip::values;
        filters::single;
        filters::trees;
        order::sorted;
        aggregates::measures;
    }
    cases! { list:
        always filters::mixed;
        always filters::ids;
        always order::pages;
        always order::by_id;
        searches search::near;
        always writes::insert;
        always writes::upsert;
        always writes::patch;
        always writes::delete;
        always writes::random_history;
        always writes::unique;
        always writes::fetch;
        always writes::empty;
        always schemas::ensure_twice;
        always schemas::evolution;
        always schemas::mismatch;
        always schemas::apart;
        always schemas::dropped;
        always schemas::hostile_names;
        always hostile::values;
        always hostile::entities;
        always aggregates::grouped;
        always aggregates::sums;
        always metamorphic::relations;
        always many::rows;
        always many::at_once;
    }
    list
}

impl Case {
    /// Whether the case means something on a kind of backend.
    pub fn applies_to(&self, kind: &str) -> bool {
        TABLE.iter().find(|rows| rows.backend == kind).is_some_and(|rows| (self.applies)(rows, self.class))
    }

    /// Runs the case on a driver, and drops what it made there.
    ///
    /// # Errors
    /// What was expected and what came, with the seed that replays it.
    pub async fn run(&self, setup: DriverSetup) -> Result<(), String> {
        let seed = setup.seed;
        let context = Context::new(setup, &self.name);
        let outcome = (self.run)(&context, self.class).await;
        let dropped = context.drop_all().await;
        match (outcome, dropped) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(Failure(why)), _) | (Ok(()), Err(Failure(why))) => {
                Err(format!("{why}\n  replay: HEAVENBASE_TEST_SEED={seed} … {}", self.name))
            }
        }
    }
}

/// Runs every case that applies to the driver, one after another.
///
/// # Panics
/// After the last case, when one of them failed, with all that failed.
pub async fn run(setup: DriverSetup) {
    let mut failed = Vec::new();
    let mut passed = 0;
    for case in cases().into_iter().filter(|case| case.applies_to(setup.kind)) {
        match case.run(setup.clone()).await {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(failed.is_empty(), "{} cases failed, {passed} passed:\n{}", failed.len(), failed.join("\n\n"));
}
