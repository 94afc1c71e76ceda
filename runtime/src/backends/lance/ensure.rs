//! Making a dataset, checking it, evolving it, dropping it.

use std::sync::Arc;

use lance::Dataset;
use lance::dataset::{BatchUDF, NewColumnTransform, WriteParams};
use lance::deps::datafusion::arrow::array::{RecordBatch, RecordBatchIterator};
use lance::deps::datafusion::arrow::datatypes::{Field, Schema};

use super::failure::Ours;
use super::store::{Store, manifest_of};
use super::{runtime, shape};
use crate::backends::disk;
use crate::driver::{Ensured, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, Part};
use crate::types::Value;

/// Makes the part's dataset, or checks what is there against it.
pub(super) async fn run(store: &Arc<Store>, part: &Arc<Part>) -> Result<Ensured> {
    shape::check(part)?;
    // Most often all is there already.
    if let Some(dataset) = store.find(part).await?
        && manifest_of(&dataset)?.additions(part)?.is_empty()
    {
        return Ok(Ensured::default());
    }
    let _turn = store.turn(part).await?;
    let Some(dataset) = store.find(part).await? else {
        let schema = shape::schema_with_manifest(part)?;
        let nothing = RecordBatchIterator::new(std::iter::empty(), schema);
        let parameters = WriteParams { session: Some(store.session()), auto_cleanup: None, ..WriteParams::default() };
        let made = Dataset::write(nothing, &store.uri(part)?, Some(parameters)).await.ours()?;
        store.keep(part, made);
        return Ok(Ensured { created: true, ..Ensured::default() });
    };
    let additions = manifest_of(&dataset)?.additions(part)?;
    let mut dataset = (*dataset).clone();
    let columns: Vec<&Column> = additions.iter().filter_map(|&i| part.columns.get(i)).collect();
    let added = columns.iter().map(|c| c.name.to_owned()).collect();
    if !columns.is_empty() {
        evolve(&mut dataset, part, &columns).await?;
        store.keep(part, dataset);
    }
    Ok(Ensured { added, ..Ensured::default() })
}

/// Adds columns, then says so in the manifest. Cut short in between, the columns are not in the manifest and are made
/// anew the next time.
async fn evolve(dataset: &mut Dataset, part: &Part, columns: &[&Column]) -> Result<()> {
    let fields: Vec<Field> = columns.iter().flat_map(|column| shape::fields_of(column)).collect();
    let half_made: Vec<&str> = fields.iter().map(|f| f.name().as_str()).filter(|name| dataset.schema().field(name).is_some()).collect();
    if !half_made.is_empty() {
        dataset.drop_columns(&half_made).await.ours()?;
    }
    let (defaulted, empty): (Vec<&Column>, Vec<&Column>) = columns.iter().partition(|column| column.default.is_some());
    let empty: Vec<Field> = empty.into_iter().flat_map(shape::fields_of).collect();
    if !empty.is_empty() {
        dataset.add_columns(NewColumnTransform::AllNulls(Arc::new(Schema::new(empty))), None, None).await.ours()?;
    }
    if !defaulted.is_empty() {
        let schema = Arc::new(Schema::new(defaulted.iter().flat_map(|column| shape::fields_of(column)).collect::<Vec<_>>()));
        let columns: Vec<(Column, Value)> =
            defaulted.into_iter().map(|column| (column.clone(), column.default.map_or(Value::Null, |default| default()))).collect();
        let output = schema.clone();
        let mapper = move |rows: &RecordBatch| {
            let mut arrays = Vec::new();
            for (column, default) in &columns {
                let values = vec![default; rows.num_rows()];
                let made = shape::arrays_of(column, values.into_iter());
                arrays.extend(made.map_err(|e| lance::Error::invalid_input(e.to_string()))?);
            }
            Ok(RecordBatch::try_new(output.clone(), arrays)?)
        };
        let function = BatchUDF { mapper: Box::new(mapper), output_schema: schema, result_checkpoint: None };
        dataset.add_columns(NewColumnTransform::BatchUDF(function), Some(vec![ID_COLUMN.to_owned()]), None).await.ours()?;
    }
    let manifest = Manifest::of(part).to_json()?;
    dataset.update_schema_metadata([(shape::MANIFEST, manifest.as_str())]).await.ours()?;
    Ok(())
}

/// Drops the part's dataset; says whether it was there.
pub(super) async fn drop_part(store: &Arc<Store>, part: &Arc<Part>) -> Result<bool> {
    let _turn = store.turn(part).await?;
    let Some(dataset) = store.find(part).await? else { return Ok(false) };
    let manifest = manifest_of(&dataset)?;
    if manifest.namespace != *part.namespace || manifest.entity != part.entity.name {
        let why = format!(
            "the dataset `{}` belongs to the entity `{}` of the namespace `{}`: it stays",
            part.table, manifest.entity, manifest.namespace
        );
        return Err(Error::new(ErrorKind::SchemaMismatch, why));
    }
    store.forget(part);
    let path = store.path(part);
    runtime::blocking(move || {
        // Out of the way at once, then removed: a crash in between leaves files that nothing names.
        let aside = path.with_extension(format!("dropped-{}", uuid::Uuid::now_v7()));
        std::fs::rename(&path, &aside).map_err(|e| disk::io_error(e, "drop", &path))?;
        std::fs::remove_dir_all(&aside).map_err(|e| disk::io_error(e, "remove", &aside))
    })
    .await?;
    Ok(true)
}
