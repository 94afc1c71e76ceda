//! Lance by hand, in this process.

use futures_util::TryStreamExt;
use heavenbase::prelude::*;
use lance::dataset::scanner::Scanner;
use lance::deps::datafusion::arrow::array::{AsArray, Float32Array};
use lance::deps::datafusion::arrow::datatypes::Float32Type;
use lance_linalg::distance::DistanceType;

use crate::Failed;
use crate::alone::on;
use crate::elsewhere::beside;
use crate::rows::{Among, Rows};

on!(OnLance, LanceGloss, Lance);
on!(OnLanceLists, LanceLists, Lance, ivf_flat);
on!(OnLanceProduct, LanceProduct, Lance, ivf_pq);
on!(OnLanceGraph, LanceGraph, Lance, hnsw);
beside!(LanceBeside, LanceSplit, Lance, 1_000_000);
beside!(LanceGraphBeside, LanceGraphSplit, Lance, 1_000_000, hnsw);

/// Near with a filter, without an index and with those of Lance.
pub async fn alone(rows: &Rows) -> Result<(), Failed> {
    macro_rules! each {
        ($($name:literal $entity:ident),+) => {$(
            let directory = tempfile::tempdir()?;
            let path = directory.path().to_str().ok_or("the directory's path is not Unicode")?;
            $entity::measure($name, path, rows, Lance::dir(path)).await?;
        )+};
    }
    each!("lance" LanceGloss, "lance ivf_flat" LanceLists, "lance ivf_pq" LanceProduct, "lance hnsw" LanceGraph);
    Ok(())
}

/// Near with a filter on SQLite.
pub async fn elsewhere(rows: &Rows) -> Result<(), Failed> {
    let (plain, graph) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let path = |directory: &tempfile::TempDir| directory.path().to_str().map(str::to_owned).ok_or("the directory's path is not Unicode");
    LanceSplit::measure("lance", &path(&plain)?, rows, Lance::dir(plain.path())).await?;
    LanceGraphSplit::measure("lance hnsw", &path(&graph)?, rows, Lance::dir(graph.path())).await
}

/// The dataset of a part, as a client opens it.
pub struct Dataset(lance::Dataset);

impl Dataset {
    pub async fn open(directory: &str, table: &str) -> Result<Dataset, Failed> {
        Ok(Dataset(lance::Dataset::open(&format!("{directory}/{table}.lance")).await?))
    }

    /// With the settings that Lance's guide begins with: 20 lists, and ten times as many candidates compared again.
    pub async fn nearest(&self, target: &[f32], k: usize, among: Among<'_>) -> Result<Vec<(String, f64)>, Failed> {
        let mut scanner: Scanner = self.0.scan();
        match among {
            Among::All => {}
            Among::Below(below) => drop(scanner.filter(&format!("rank < {below}"))?),
            Among::Ids(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
                scanner.filter(&format!("object_id IN ({})", ids.join(", ")))?;
            }
        }
        scanner.prefilter(true);
        scanner.nearest("embedding", &Float32Array::from(target.to_vec()), k)?;
        scanner.distance_metric(DistanceType::Cosine).minimum_nprobes(20).refine(10);
        scanner.project(&["object_id", "_distance"])?;
        scanner.disable_scoring_autoprojection();
        let batches: Vec<_> = scanner.try_into_stream().await?.try_collect().await?;
        let mut found = Vec::new();
        for batch in &batches {
            let ids = batch.column_by_name("object_id").ok_or("no ids")?.as_string::<i32>();
            let distances = batch.column_by_name("_distance").map(|array| array.as_primitive::<Float32Type>());
            for row in 0..batch.num_rows() {
                found.push((ids.value(row).to_owned(), distances.map_or(0.0, |d| 1.0 - f64::from(d.value(row)))));
            }
        }
        Ok(found)
    }
}
