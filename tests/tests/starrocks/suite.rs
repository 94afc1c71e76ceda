//! The behaviour suite with MariaDB in StarRocks's place: what the statements mean there, they say of our own.

use std::sync::Arc;

use heavenbase::driver::Driver;
use heavenbase_tests::conformance::{DriverSetup, cases};
use heavenbase_tests::data::Manners;
use heavenbase_tests::starrocks::Place;
use heavenbase_tests::starrocks::nodes::{Node, Nodes};

use crate::common::AUTHORIZATION;

/// MariaDB sorts a text as if it ended where it ends in U+0000, and keeps -0.0 as 0.0.
fn manners() -> Manners {
    Manners { nul: false, negative_zero: false, unique: false, ..Manners::default() }
}

/// Every case but the one of vectors, which MariaDB has no words for, with a tenth of its repetitions.
async fn run(driver: Arc<dyn Driver>) {
    let setup = DriverSetup { manners: manners(), rounds: 10, ..DriverSetup::new("starrocks", driver) };
    let (mut passed, mut failed) = (0, Vec::new());
    for case in cases().into_iter().filter(|case| case.applies_to("starrocks") && case.name != "search::near") {
        match case.run(setup.clone()).await {
            Ok(()) => passed += 1,
            Err(why) => failed.push(format!("{}: {why}", case.name)),
        }
    }
    assert!(failed.is_empty(), "{} cases failed, {passed} passed:\n{}", failed.len(), failed.join("\n\n"));
    assert!(passed > 90, "only {passed} cases");
    println!("{passed} cases");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_is_green_where_mariadb_runs_the_statements() {
    let Some(place) = Place::make().await else { return };
    let driver = place.driver(None).await;
    run(driver).await;
    place.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_is_green_where_rows_are_loaded() {
    let Some(place) = Place::make().await else { return };
    let nodes = Nodes::start(AUTHORIZATION, Some(place.pool.clone()));
    let driver = place.driver(Some(&nodes.frontend)).await;
    run(driver).await;
    let seen = nodes.seen();
    let loads = seen.iter().filter(|(node, _)| *node == Node::Backend).count();
    assert!(loads > 100 && seen.len() == loads * 2, "{loads} loads, {} requests", seen.len());
    // The frontend is told no row.
    assert!(seen.iter().all(|(node, request)| *node == Node::Backend || request.body().is_empty()));
    println!("{loads} loads");
    place.clear().await;
}
