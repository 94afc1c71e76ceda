//! Parts: ensured, evolved, refused, dropped; namespaces and names that must not meet.

use std::sync::Arc;

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::schema::Part;
use heavenbase::types::{LogicalType, Value};

use super::context::{Context, Failure, Outcome};
use super::select::compare;
use crate::check;
use crate::data::{Spec, specs_of};
use crate::reference::Table;

async fn all_agree(context: &Context, part: &Arc<Part>, table: &Table) -> Outcome {
    let columns = (0..part.columns.len()).collect();
    compare(context, part, table, &SubQuery { columns, ..SubQuery::default() }).await
}

/// Ensured again, a part stays as it is, with its rows.
pub async fn ensure_twice(context: &Context) -> Outcome {
    let (part, table) = context.filled("twice", &context.some_of_every_sort(), 20).await?;
    for _ in 0..2 {
        let again = context.driver().ensure(&part).await?;
        check!(!again.created && again.added.is_empty(), "ensure of what is there says {again:?}");
        all_agree(context, &part, &table).await?;
    }
    Ok(())
}

fn seven() -> Value {
    Value::Int(7)
}

fn hello() -> Value {
    Value::Text("it's \u{e9}".to_owned())
}

/// New fields come in: null or their default in older rows, and as good as others from then on.
pub async fn evolution(context: &Context) -> Outcome {
    let mut random = context.random();
    let mut specs = context.some_of_every_sort();
    random.shuffle(&mut specs);
    let (later, mut before) = (specs.split_off(specs.len() / 2), specs);
    let name = "evolving";
    let part = context.part(name, &before).await?;
    let mut table = Table::default();
    let batch = context.batch(&mut random, &part, WriteMode::Upsert, 1, (0..12).map(|n| format!("r{n}").into()).collect());
    context.write(&part, &mut table, batch).await?;

    // Nullable fields of every sort that is stored, an integer and a text with defaults.
    let inline = |class: &str| specs_of(context.setup.kind, Some(class)).iter().any(|spec| spec.placement == Placement::InlineColumn);
    let mut added: Vec<Spec> =
        later.into_iter().filter(|spec| spec.nullable).map(|spec| Spec { name: format!("{}x", spec.name), ..spec }).collect();
    if inline("Int") {
        added.push(Spec::new("with_seven", LogicalType::INT, Placement::InlineColumn).required().defaulted(seven));
    }
    if inline("Text") {
        added.push(Spec::new("with_hello", LogicalType::Text { max: 50 }, Placement::InlineColumn).defaulted(hello).indexed());
    }
    before.extend(added.iter().cloned());
    let wider = context.lay_out(Spec::entity(name, &before), &context.setup.namespace)?;
    let ensured = context.driver().ensure(&wider).await?;
    let mut names: Vec<&str> = ensured.added.iter().map(String::as_str).collect();
    let mut expected: Vec<&str> = added.iter().map(|spec| spec.name.as_str()).collect();
    names.sort_unstable();
    expected.sort_unstable();
    check!(!ensured.created && names == expected, "the evolution says {ensured:?}, the new fields are {expected:?}");
    for row in table.rows.values_mut() {
        row.values = wider
            .columns
            .iter()
            .map(|column| match part.column(column.name) {
                Some((old, _)) => row.values[old].clone(),
                None => column.default.map_or(Value::Null, |default| default()),
            })
            .collect();
    }
    all_agree(context, &wider, &table).await?;
    for round in 2..4 {
        let batch = context.batch(&mut random, &wider, WriteMode::Upsert, round, (8..16).map(|n| format!("r{n}").into()).collect());
        context.write(&wider, &mut table, batch).await?;
        for _ in 0..context.rounds(25) {
            let filter = crate::data::filter(&mut random, &wider, &table, 2, context.setup.manners);
            let order = super::order::keys(&mut random, &wider);
            compare(context, &wider, &table, &SubQuery { filter, order, columns: vec![0], ..SubQuery::default() }).await?;
        }
        let again = context.driver().ensure(&wider).await?;
        check!(!again.created && again.added.is_empty(), "ensure after the evolution says {again:?}");
    }
    all_agree(context, &wider, &table).await
}

/// What cannot be evolved is refused with a reason, and nothing is touched.
pub async fn mismatch(context: &Context) -> Outcome {
    let specs = context.some_of_every_sort();
    let (part, table) = context.filled("mismatch", &specs, 15).await?;
    let mut wrong: Vec<(String, Vec<Spec>)> = Vec::new();
    let mut change = |what: String, changed: &dyn Fn(&mut Vec<Spec>)| {
        let mut specs = specs.clone();
        changed(&mut specs);
        wrong.push((what, specs));
    };
    for (at, spec) in specs.iter().enumerate().step_by(1 + specs.len() / 12) {
        change(format!("`{}` of {} with nullable {}", spec.name, spec.logical, !spec.nullable), &|specs| {
            specs[at].nullable = !specs[at].nullable
        });
        let other = specs.iter().find(|other| other.logical != spec.logical && other.placement == spec.placement);
        if let Some(other) = other.filter(|_| spec.metric.is_none()) {
            change(format!("`{}` with type {} instead of {}", spec.name, other.logical, spec.logical), &|specs| {
                specs[at].logical = other.logical
            });
        }
    }
    change("a field gone".into(), &|specs| drop(specs.remove(0)));
    if let Some(spec) = specs.iter().find(|spec| !spec.nullable && spec.metric.is_none()) {
        change("a new field that is never null and has no default".into(), &|specs| {
            specs.push(Spec { name: "late".into(), ..spec.clone() })
        });
    }
    for (what, specs) in wrong {
        let changed = context.lay_out(Spec::entity("mismatch", &specs), &context.setup.namespace)?;
        match context.driver().ensure(&changed).await {
            Ok(ensured) => return Err(Failure(format!("ensure accepts {what}: {ensured:?}"))),
            Err(error) => {
                check!(
                    error.kind() == ErrorKind::SchemaMismatch,
                    "{what} is refused as {:?} instead of SchemaMismatch: {error}",
                    error.kind()
                );
                check!(error.message().len() > 15, "the refusal of {what} says too little: {error}");
            }
        }
    }
    let again = context.driver().ensure(&part).await?;
    check!(!again.created && again.added.is_empty(), "after refusals ensure says {again:?}");
    all_agree(context, &part, &table).await?;

    // Another entity or namespace that comes to the same physical table.
    let moved = |namespace: &str, entity: &str| -> Outcome<Arc<Part>> {
        let other = context.lay_out(Spec::entity(entity, &specs), &namespace.into())?;
        Ok(Arc::new(Part { table: part.table.clone(), ..(*other).clone() }))
    };
    for other in [moved("elsewhere", "mismatch")?, moved(&context.setup.namespace, "other")?] {
        match context.driver().ensure(&other).await {
            Ok(ensured) => return Err(Failure(format!("a table of another entity or namespace is taken over: {ensured:?}"))),
            Err(error) => check!(error.kind() == ErrorKind::SchemaMismatch, "a foreign table is refused as {:?}: {error}", error.kind()),
        }
    }
    all_agree(context, &part, &table).await
}

/// Namespaces and entities with names alike share nothing, and drop takes one of them only.
pub async fn apart(context: &Context) -> Outcome {
    let mut random = context.random();
    let mut specs: Vec<Spec> = context.some_of_every_sort().into_iter().filter(|spec| spec.metric.is_none() || spec.nullable).collect();
    // Lists and words may lie in tables of their own: those must be apart too.
    specs.sort_by_key(|spec| !matches!(spec.placement, Placement::SideTable | Placement::InvertedIndex));
    specs.truncate(5);
    let tags = Spec { name: "tags".into(), ..specs[0].clone() };
    specs.push(tags);
    let space = &context.setup.namespace;
    let names = [
        (space.to_string(), "item"),
        (space.to_string(), "items"),
        (space.to_string(), "item_tags"),
        (space.to_string(), "item__tags"),
        (space.to_string(), "Item"),
        (space.to_string(), "ITEM"),
        (format!("{space}2"), "item"),
        (format!("{space}__item"), "tags"),
        (format!("{space}_item"), "tags"),
        (space.to_uppercase(), "item"),
        (space.to_string(), "select"),
        (space.to_string(), "dot.ted \"quoted\" `tick` [x]; --"),
        (space.to_string(), "\u{dc}bung"),
        (space.to_string(), "a_name_that_is_much_longer_than_what_any_of_the_engines_takes_for_a_table_1"),
        (space.to_string(), "a_name_that_is_much_longer_than_what_any_of_the_engines_takes_for_a_table_2"),
    ];
    let mut parts = Vec::new();
    for (number, (namespace, entity)) in names.iter().enumerate() {
        let part = context.lay_out(Spec::entity(entity, &specs), &namespace.as_str().into())?;
        let ensured = context.ensure(&part).await?;
        check!(ensured.created, "`{entity}` in `{namespace}` was there already: it meets another one");
        let mut table = Table::default();
        let ids = (0..5 + number).map(|n| format!("r{n}").into()).collect();
        let batch = context.batch(&mut random, &part, WriteMode::Insert, 1 + number as i64, ids);
        context.write(&part, &mut table, batch).await?;
        parts.push((part, table));
    }
    for _ in 0..parts.len() {
        for (part, table) in &parts {
            all_agree(context, part, table)
                .await
                .map_err(|Failure(why)| Failure(format!("`{}` in `{}`: {why}", part.entity.name, part.namespace)))?;
        }
        let (part, _) = parts.remove(random.below(parts.len()));
        check!(context.driver().drop_part(&part).await?, "drop says that `{}` was not there", part.entity.name);
        check!(!context.driver().drop_part(&part).await?, "drop of what is gone says that it was there");
    }
    Ok(())
}

/// A dropped part comes back empty, and asking for it in between is an error, not a crash.
pub async fn dropped(context: &Context) -> Outcome {
    let specs = context.some_of_every_sort();
    let (part, _) = context.filled("dropped", &specs, 10).await?;
    check!(context.driver().drop_part(&part).await?, "drop says that the part was not there");
    let query = Arc::new(SubQuery { columns: vec![0], ..SubQuery::default() });
    let answer = match context.setup.driver.open(part.clone(), query) {
        Ok(mut stream) => stream.next_page().await.map(|page| page.is_some()),
        Err(error) => Err(error),
    };
    check!(
        answer.as_ref().err().is_none_or(|e| e.kind() != ErrorKind::Internal) && !matches!(answer, Ok(true)),
        "a dropped part answers {answer:?}"
    );
    let ensured = context.ensure(&part).await?;
    check!(ensured.created, "ensure after drop says {ensured:?}");
    let mut table = Table::default();
    all_agree(context, &part, &table).await?;
    let batch = context.batch(&mut context.random(), &part, WriteMode::Insert, 1, vec!["a".into()]);
    context.write(&part, &mut table, batch).await?;
    all_agree(context, &part, &table).await
}

/// Stored names that are key words, that hold quotes, spaces or other scripts, or differ in case alone.
pub async fn hostile_names(context: &Context) -> Outcome {
    let mut random = context.random();
    let Some(plain) = specs_of(context.setup.kind, None).into_iter().find(|spec| spec.metric.is_none()) else { return Ok(()) };
    let names = [
        "select",
        "order",
        "group",
        "table",
        "Name",
        "name",
        "NAME",
        "sel\"ect",
        "tick`s",
        "it's",
        "a b",
        "semi;colon--",
        "\u{3a9}",
        "bracket]",
        "%s",
        "$1",
        "?",
        ":p",
        "rowid",
        "id",
        "key",
        "value",
        "values",
        "index",
        "_id",
        "version",
        "a.b",
        "object_id2",
        "x__y",
        "back\\slash",
        "a_field_name_that_is_longer_than_sixty_three_bytes_so_that_it_must_be_cut_1",
        "a_field_name_that_is_longer_than_sixty_three_bytes_so_that_it_must_be_cut_2",
    ];
    // As many at once as a part may have there; names that differ little stand together.
    for (at, names) in names.chunks(context.setup.manners.most_columns).enumerate() {
        let specs: Vec<Spec> = names.iter().map(|name| Spec { name: (*name).to_owned(), nullable: true, ..plain.clone() }).collect();
        let (part, table) = context.filled(&format!("hostile names {at}"), &specs, 30).await?;
        all_agree(context, &part, &table).await?;
        for _ in 0..context.rounds(40) {
            let filter = crate::data::filter(&mut random, &part, &table, 2, context.setup.manners);
            let order = super::order::keys(&mut random, &part);
            let columns = vec![random.below(names.len())];
            compare(context, &part, &table, &SubQuery { filter, order, columns, ..SubQuery::default() }).await?;
        }
    }
    Ok(())
}
