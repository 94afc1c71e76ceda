//! Random conditions, whose operands mostly come from the rows, so that they hold on some and not on others.

use heavenbase::capability::{Operation, Support, questions};
use heavenbase::filter::{Condition, Filter, Segment, Target, Test};
use heavenbase::schema::{Column, Part};
use heavenbase::types::{Json, LogicalType, Value};

use super::values::{Manners, value};
use crate::random::Random;
use crate::reference::Table;

/// A random condition of an operation on a column; `None` where the operation is not a filter.
pub fn condition(
    random: &mut Random,
    operation: Operation,
    column: &Column,
    stored: &[Value],
    manners: Manners,
) -> Option<(Target, Condition)> {
    let mut operand = |random: &mut Random| -> Value {
        if !stored.is_empty() && random.chance(75) {
            random.pick(stored).clone()
        } else {
            value(random, &column.logical, column.metric, manners)
        }
    };
    let condition = match operation {
        Operation::Eq => equality(random, &mut operand),
        Operation::Compare => comparison(random, &mut operand),
        Operation::IsNull => random.pick(&[Condition::IsNull, Condition::IsSome]).clone(),
        Operation::Contains | Operation::IContains | Operation::Like | Operation::ILike | Operation::Regex | Operation::Matches => {
            let source = operand(random).as_text().unwrap_or_default().to_owned();
            textual(random, operation, &source)
        }
        Operation::Has => {
            let mut item = |random: &mut Random| match operand(random) {
                Value::List(items) if !items.is_empty() => random.pick(&items).clone(),
                _ => match &column.logical {
                    LogicalType::List(item) => value(random, item, None, manners),
                    _ => Value::Null,
                },
            };
            let several =
                |random: &mut Random, item: &mut dyn FnMut(&mut Random) -> Value| (0..random.below(4)).map(|_| item(random)).collect();
            match random.below(3) {
                0 => Condition::Has(item(random)),
                1 => Condition::HasAny(several(random, &mut item)),
                _ => Condition::HasAll(several(random, &mut item)),
            }
        }
        Operation::Length => {
            let mut number = |random: &mut Random| Value::Int(random.below(5) as i64 - i64::from(random.chance(5)));
            let condition = match random.below(3) {
                0 => equality(random, &mut number),
                1 => comparison(random, &mut number),
                _ => Condition::IsSome,
            };
            return Some((Target::Length, condition));
        }
        Operation::Path => return Some(path(random, &mut operand)),
        _ => return None,
    };
    Some((Target::Value, condition))
}

type Operand<'a> = &'a mut dyn FnMut(&mut Random) -> Value;

fn equality(random: &mut Random, operand: Operand<'_>) -> Condition {
    let members = |random: &mut Random, operand: Operand<'_>| -> Vec<Value> {
        let mut members: Vec<Value> = (0..random.below(5)).map(|_| operand(random)).collect();
        if random.chance(20) {
            members.push(Value::Null);
        }
        members
    };
    match random.below(12) {
        0 => Condition::Eq(Value::Null),
        1 => Condition::Ne(Value::Null),
        2..=4 => Condition::Eq(operand(random)),
        5..=7 => Condition::Ne(operand(random)),
        8 | 9 => Condition::In(members(random, operand)),
        _ => Condition::NotIn(members(random, operand)),
    }
}

fn comparison(random: &mut Random, operand: Operand<'_>) -> Condition {
    match random.below(6) {
        0 => Condition::Lt(operand(random)),
        1 => Condition::Le(operand(random)),
        2 => Condition::Gt(operand(random)),
        3 => Condition::Ge(operand(random)),
        _ => Condition::Between(operand(random), operand(random)),
    }
}

/// A piece of a text, cut at characters.
fn piece(random: &mut Random, source: &str) -> Vec<char> {
    let chars: Vec<char> = source.chars().take(300).collect();
    let from = random.below(chars.len() + 1);
    let to = from + random.below((chars.len() - from).min(6) + 1);
    chars[from..to].to_vec()
}

fn swap_case(random: &mut Random, text: String) -> String {
    match random.below(3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text,
    }
}

fn textual(random: &mut Random, operation: Operation, source: &str) -> Condition {
    let part: String = match random.below(8) {
        0 => String::new(),
        1 => (*random.pick(&["%", "_", "\\", "'", "\"", "`", "al", "\u{301}", "ss", "\u{df}", "S", "i", "\u{130}"])).to_owned(),
        _ => piece(random, source).into_iter().collect(),
    };
    match operation {
        Operation::Contains => match random.below(3) {
            0 => Condition::Contains(part),
            1 => Condition::StartsWith(source.chars().take(random.below(4)).collect()),
            _ => Condition::EndsWith(source.chars().skip(source.chars().count().saturating_sub(random.below(4))).collect()),
        },
        Operation::IContains => Condition::IContains(swap_case(random, part)),
        Operation::Like => Condition::Like(pattern(random, source)),
        Operation::ILike => {
            let pattern = pattern(random, source);
            Condition::ILike(swap_case(random, pattern))
        }
        Operation::Regex => Condition::Regex(match random.below(12) {
            0 => "^a".into(),
            1 => "a$".into(),
            2 => "[a-z]+\\d".into(),
            3 => "(?i)stra\u{df}e|alpha".into(),
            4 => "\\p{Lu}".into(),
            5 => "(?s)a.*b".into(),
            6 => "\\bbeta\\b".into(),
            7 => "^$".into(),
            8 => "x{3,}".into(),
            9 => "^[^a]*$".into(),
            _ => regex::escape(&part),
        }),
        _ => {
            let words: Vec<&str> = source.split(' ').filter(|word| !word.is_empty()).take(40).collect();
            let mut chosen: Vec<&str> = Vec::new();
            if !words.is_empty() {
                let from = random.below(words.len());
                chosen.extend(&words[from..(from + 1 + random.below(2)).min(words.len())]);
            }
            if random.chance(15) {
                chosen.push(*random.pick(&["desk", "zebra", "ALPHA", "can't", "...", "caf\u{e9}"]));
            }
            let separator = *random.pick(&[" ", ", ", "  "]);
            let query = swap_case(random, chosen.join(separator));
            if random.chance(50) { Condition::Matches(query) } else { Condition::Phrase(query) }
        }
    }
}

/// A `like` pattern: a text with some of its characters replaced by wildcards, escapes and runs.
fn pattern(random: &mut Random, source: &str) -> String {
    let mut pattern = String::new();
    if random.chance(40) {
        pattern.push('%');
    }
    let keep = random.chance(60);
    for c in source.chars().take(if keep { 40 } else { random.below(6) }) {
        match random.below(12) {
            0 => pattern.push('_'),
            1 => pattern.push('%'),
            2 => {}
            _ if matches!(c, '%' | '_' | '\\') => {
                if random.chance(80) {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            3 => {
                pattern.push('\\');
                pattern.push(c);
            }
            _ => pattern.push(c),
        }
    }
    if random.chance(60) {
        pattern.push('%');
    }
    if random.chance(3) {
        pattern.push('\\');
    }
    pattern
}

/// A path into a stored value (mostly one that is there), and a condition on what lies there.
fn path(random: &mut Random, operand: Operand<'_>) -> (Target, Condition) {
    let Value::Json(json) = operand(random) else {
        return (Target::Path(vec![Segment::from("a")]), Condition::IsNull);
    };
    let mut here: Json = *json;
    let mut path = Vec::new();
    loop {
        let next = match &here {
            Json::Object(map) if !map.is_empty() => {
                let (key, value) = map.iter().nth(random.below(map.len())).map(|(k, v)| (k.clone(), v.clone())).unwrap_or_default();
                Some((Segment::from(key), value))
            }
            Json::Array(items) if !items.is_empty() => {
                let index = random.below(items.len());
                Some((Segment::from(index as u32), items[index].clone()))
            }
            _ => None,
        };
        match next {
            Some((segment, value)) if path.len() < 4 && (path.is_empty() || random.chance(75)) => {
                path.push(segment);
                here = value;
            }
            _ => break,
        }
    }
    if path.is_empty() || random.chance(15) {
        let extra = random
            .pick(&[Segment::from("a"), Segment::from("missing"), Segment::from(0u32), Segment::from("0"), Segment::from("a.b")])
            .clone();
        path.push(extra);
    }
    let scalars = [
        Json::from(1),
        Json::from(1.0),
        Json::from("1"),
        Json::from(true),
        Json::from(""),
        Json::from(i64::MAX),
        Json::from("a"),
        Json::from(2),
    ];
    let mut wanted = |random: &mut Random| {
        let json = if !here.is_null() && random.chance(70) { here.clone() } else { random.pick(&scalars).clone() };
        Value::Json(Box::new(json))
    };
    let condition = match random.below(9) {
        0..=2 => equality(random, &mut wanted),
        3..=5 => comparison(random, &mut wanted),
        6 => Condition::IsNull,
        7 => Condition::IsSome,
        _ => {
            let source = here.as_str().unwrap_or("alpha").to_owned();
            textual(random, Operation::Contains, &source)
        }
    };
    (Target::Path(path), condition)
}

/// A random test of one operation on a column, with operands from a table; `None` where the operation is not a filter.
pub fn test(random: &mut Random, operation: Operation, part: &Part, column: usize, table: &Table, manners: Manners) -> Option<Test> {
    let stored: Vec<Value> = table.rows.values().map(|row| row.values[column].clone()).filter(|value| !value.is_null()).collect();
    let column = &part.columns[column];
    let (target, condition) = condition(random, operation, column, &stored, manners)?;
    Some(Test { field: column.name.into(), on: None, target, condition, scan: false })
}

/// A random tree of And, Or and Not over natively run tests of the part's columns, and of the id.
pub fn filter(random: &mut Random, part: &Part, table: &Table, depth: usize, manners: Manners) -> Filter {
    if depth > 0 && random.chance(70) {
        let parts = |random: &mut Random| (0..random.below(4)).map(|_| filter(random, part, table, depth - 1, manners)).collect();
        return match random.below(5) {
            0 | 1 => Filter::And(parts(random)),
            2 | 3 => Filter::Or(parts(random)),
            _ => Filter::Not(Box::new(filter(random, part, table, depth - 1, manners))),
        };
    }
    for _ in 0..20 {
        if part.columns.is_empty() || random.chance(6) {
            return id_test(random, table).into();
        }
        let position = random.below(part.columns.len());
        let column = &part.columns[position];
        let operation = *random.pick(Operation::ALL);
        if questions::support(part.kind, operation, column.logical.class(), column.placement) != Support::Native {
            continue;
        }
        if let Some(test) = test(random, operation, part, position, table, manners) {
            return test.into();
        }
    }
    Filter::all()
}

fn id_test(random: &mut Random, table: &Table) -> Test {
    let ids: Vec<&String> = table.rows.keys().collect();
    let mut operand = |random: &mut Random| {
        Value::Text(if ids.is_empty() || random.chance(10) { "nobody".to_owned() } else { (*random.pick(&ids)).clone() })
    };
    let condition = if random.chance(50) { equality(random, &mut operand) } else { comparison(random, &mut operand) };
    Test::new(heavenbase::schema::ID_COLUMN, condition)
}
