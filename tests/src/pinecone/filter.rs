//! The filter language, as strict as documented.

use serde_json::{Map, Value as Json};

use super::state::Refused;

/// Whether a record's metadata satisfy a filter; `missing_differs`: whether `$ne` and `$nin` match a missing key.
pub(super) fn holds(filter: &Json, metadata: &Map<String, Json>, missing_differs: bool) -> Result<bool, Refused> {
    let Some(map) = filter.as_object() else { return Err(invalid("a filter is an object")) };
    if map.is_empty() {
        return Err(invalid("a filter says something"));
    }
    let mut all = true;
    for (key, wanted) in map {
        all &= match key.as_str() {
            "$and" | "$or" => {
                let parts = wanted.as_array().filter(|parts| !parts.is_empty()).ok_or_else(|| invalid("$and and $or take a list"))?;
                let held = parts.iter().map(|part| holds(part, metadata, missing_differs)).collect::<Result<Vec<_>, _>>()?;
                if key == "$and" { held.iter().all(|held| *held) } else { held.iter().any(|held| *held) }
            }
            operator if operator.starts_with('$') => return Err(invalid("an operator stands below a field")),
            field => match wanted {
                Json::Object(tests) => {
                    let mut all = !tests.is_empty();
                    for (operator, operand) in tests {
                        all &= test(metadata.get(field), operator, operand, missing_differs)?;
                    }
                    all
                }
                operand => test(metadata.get(field), "$eq", operand, missing_differs)?,
            },
        };
    }
    Ok(all)
}

fn invalid(why: &str) -> Refused {
    Refused::new(400, why)
}

fn test(stored: Option<&Json>, operator: &str, operand: &Json, missing_differs: bool) -> Result<bool, Refused> {
    let scalar = |operand: &Json| match operand {
        Json::String(_) | Json::Number(_) | Json::Bool(_) => Ok(()),
        _ => Err(invalid("an operand is a text, a number or a truth value")),
    };
    let equal = |operand: &Json| stored.is_some_and(|stored| same(stored, operand));
    let members = || {
        let members = operand.as_array().filter(|list| list.len() <= 10_000).ok_or_else(|| invalid("$in takes a list of up to 10,000"))?;
        members.iter().try_for_each(scalar)?;
        Ok::<_, Refused>(members)
    };
    let number = || operand.as_f64().ok_or_else(|| invalid("only numbers are ordered"));
    let ordered = |holds: fn(f64, f64) -> bool| Ok(stored.and_then(Json::as_f64).zip(Some(number()?)).is_some_and(|(a, b)| holds(a, b)));
    match operator {
        "$eq" => scalar(operand).map(|()| equal(operand)),
        "$ne" => scalar(operand).map(|()| if stored.is_none() { missing_differs } else { !equal(operand) }),
        "$in" => Ok(members()?.iter().any(equal)),
        "$nin" => {
            let members = members()?;
            Ok(if stored.is_none() { missing_differs } else { !members.iter().any(equal) })
        }
        "$gt" => ordered(|a, b| a > b),
        "$gte" => ordered(|a, b| a >= b),
        "$lt" => ordered(|a, b| a < b),
        "$lte" => ordered(|a, b| a <= b),
        "$exists" => operand.as_bool().map(|wanted| stored.is_some() == wanted).ok_or_else(|| invalid("$exists takes a truth value")),
        _ => Err(invalid("no such operator")),
    }
}

/// Whether a value equals an operand, or a list of texts has it. Numbers are floats.
fn same(stored: &Json, operand: &Json) -> bool {
    match (stored, operand) {
        (Json::Array(items), operand) => items.contains(operand),
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}
