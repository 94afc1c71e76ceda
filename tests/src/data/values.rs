//! Random values of every logical type: duplicates on purpose, edges often, hostile text always.

use heavenbase::types::{Date, Decimal, Duration, Id, Json, LogicalType, Metric, Timestamp, Uuid, Value};

use crate::random::Random;

/// What a backend openly does not keep.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Whether text may hold U+0000.
    pub nul: bool,
    /// Whether `-0.0` keeps its sign.
    pub negative_zero: bool,
    /// Whether it decides that values are unique. One that does not must refuse such a part, not store it.
    pub unique: bool,
    /// How many columns a part may have: cases with a column of every sort take so many of them.
    pub most_columns: usize,
    /// How many characters of a text are sure to be kept, however long its type lets it be.
    pub longest_text: usize,
}

impl Default for Manners {
    fn default() -> Self {
        Manners { nul: true, negative_zero: true, unique: true, most_columns: usize::MAX, longest_text: usize::MAX }
    }
}

const TEXTS: &[&str] = &[
    "",
    " ",
    "alpha",
    "Alpha",
    "ALPHA",
    "alpha beta",
    "beta alpha gamma",
    "alphabet soup",
    " leading",
    "trailing ",
    "100%",
    "100x",
    "a_b",
    "axb",
    "back\\slash",
    "%",
    "_",
    "\\",
    "\\%",
    "it's",
    "'; DROP TABLE rows; --",
    "\"double\" quoted",
    "`ticks`",
    "[brackets] {braces} (parens)",
    "$1 ?1 :name @p1",
    "null",
    "NULL",
    "true",
    "0",
    "-1",
    "1e5",
    "line\nbreak",
    "tab\there",
    "\r\n",
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{130}stanbul",
    "istanbul",
    "i\u{307}stanbul",
    "Stra\u{df}e",
    "STRASSE",
    "\u{1e9e}",
    "\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}",
    "\u{39f}\u{394}\u{39f}\u{3a3}",
    "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} \u{43c}\u{438}\u{440}",
    "\u{41f}\u{420}\u{418}\u{412}\u{415}\u{422}",
    "\u{65e5}\u{672c}\u{8a9e} \u{30c6}\u{30ad}\u{30b9}\u{30c8}",
    "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} family",
    "\u{1f600}",
    "\u{feff}bom",
    "\u{10ffff}",
    "\u{ffff}",
    "\u{e000}private",
    "\u{202e}right to left",
    "can't won't 3.14",
    "desk, red; standing-desk",
    "Red Desk",
    "<b>&amp;</b>",
    "{\"a\": 1}",
];

const WORDS: &[&str] =
    &["alpha", "beta", "Gamma", "desk", "red", "DESK", "caf\u{e9}", "3.14", "can't", "\u{130}x", "stra\u{df}e", "a", "ab"];

fn text(random: &mut Random, max: usize, manners: Manners) -> String {
    let text = match random.below(20) {
        0..=9 => (*random.pick(TEXTS)).to_owned(),
        10..=16 => (0..1 + random.below(5)).map(|_| *random.pick(WORDS)).collect::<Vec<_>>().join(*random.pick(&[" ", ", ", "-", " / "])),
        17 if manners.nul => (*random.pick(&["\0", "a\0b", "alpha\0", "\0\0x"])).to_owned(),
        18 => {
            let unit = *random.pick(&["x", "\u{1f600}", "\u{e9}", "alpha "]);
            unit.repeat(max.min(255) / unit.chars().count())
        }
        _ => format!("t{}", random.below(12)),
    };
    text.chars().take(max).collect()
}

/// The id of the row with this number: different for each number, of any shape an id may have.
pub fn id(random: &mut Random, number: usize) -> Id {
    let shape =
        *random.pick(&["e", "E", "it's ", "\u{e9}", "e\u{301}", "\u{1f600}", "%_\\", "\"`", " ", "0", "~", "-- ", "a b ", "\u{ffff}"]);
    let text = match random.below(12) {
        0 => format!("{number}{shape}"),
        1 => format!("{number}{}", "long".repeat(60)),
        2..=5 => format!("{shape}{number}"),
        6 => format!("{shape}{number} "),
        _ => format!("e{number:04}"),
    };
    Id::from(text)
}

/// A value of a type, never null; `metric` is a vector's.
pub fn value(random: &mut Random, logical: &LogicalType, metric: Option<Metric>, manners: Manners) -> Value {
    match logical {
        LogicalType::Id | LogicalType::Ref(_) => {
            let number = random.below(9);
            Value::Text(id(random, number).into_string())
        }
        LogicalType::Bool => Value::Bool(random.chance(50)),
        LogicalType::Int { min, max } => Value::Int(int(random).clamp(*min, *max)),
        LogicalType::Float => Value::Float(float(random)),
        LogicalType::Decimal { precision, scale } => Value::Decimal(decimal(random, *precision, *scale)),
        LogicalType::Text { max } => Value::Text(text(random, *max as usize, manners)),
        LogicalType::Bytes => Value::Bytes(match random.below(5) {
            0 => Box::default(),
            1 => Box::from([0u8]),
            2 => Box::from([0xff, 0x00, 0x27, 0x5c]),
            3 => Box::from(*b"plain text"),
            _ => (0..random.below(40)).map(|_| random.next() as u8).collect(),
        }),
        LogicalType::Timestamp => Value::Timestamp(match random.below(8) {
            0 => Timestamp::MIN,
            1 => Timestamp::MAX,
            _ => {
                let near = [0, -1, 1, 999_999, 1_000_000, 1_767_225_600_000_000, 1_767_225_600_000_001, -62_135_596_800_000_000];
                let micros = if random.chance(70) { *random.pick(&near) } else { (random.next() as i64) % 100_000_000_000_000_000 };
                Timestamp::from_micros(micros).unwrap_or(Timestamp::MIN)
            }
        }),
        LogicalType::Date => {
            let days = [0, -1, 1, 365, 20_000, -719_162, -719_163, 2_932_896, -4_371_587, random.below(1000) as i32 * 30];
            Value::Date(Date::from_days(*random.pick(&days)).unwrap_or(Date::of(Timestamp::MIN)))
        }
        LogicalType::Duration => Value::Duration(Duration::from_micros(int(random))),
        LogicalType::Uuid => Value::Uuid(match random.below(4) {
            0 => Uuid::nil(),
            1 => Uuid::from_u128(u128::MAX),
            2 => Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0000 + random.below(5) as u128),
            _ => Uuid::from_u64_pair(random.next() % 3, u64::MAX / 2),
        }),
        LogicalType::Category(names) => Value::Text((*random.pick(names)).to_owned()),
        LogicalType::Json => Value::Json(Box::new(json(random, 3, manners))),
        LogicalType::List(item) => {
            let length = *random.pick(&[0, 1, 1, 2, 2, 3, 5]);
            Value::List((0..length).map(|_| value(random, item, None, manners)).collect())
        }
        LogicalType::Vector(length) => Value::Vector(vector(random, *length as usize, metric).into()),
    }
}

fn int(random: &mut Random) -> i64 {
    const EDGES: &[i64] = &[i64::MIN, i64::MIN + 1, -(1 << 53) - 1, -2_147_483_649, 2_147_483_648, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
    if random.chance(15) { *random.pick(EDGES) } else { random.below(21) as i64 - 10 }
}

fn float(random: &mut Random) -> f64 {
    const EDGES: &[f64] = &[
        -0.0,
        0.0,
        0.1,
        0.2,
        0.30000000000000004,
        1e-7,
        1e21,
        5e-324,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::MIN,
        9007199254740993.0,
        1e15,
        -1e22,
    ];
    match random.below(10) {
        0..=2 => *random.pick(EDGES),
        3..=5 => random.below(9) as f64 - 4.0,
        6..=8 => (random.below(33) as f64 - 16.0) / 4.0,
        _ => random.unit() * 1000.0 - 500.0,
    }
}

fn decimal(random: &mut Random, precision: u8, scale: u8) -> Decimal {
    let scale = u32::from(scale);
    let most = 10i128.pow(u32::from(precision)) - 1;
    match random.below(8) {
        0 => Decimal::try_from_i128_with_scale(most, scale).unwrap_or_default(),
        1 => Decimal::try_from_i128_with_scale(-most, scale).unwrap_or_default(),
        2 => Decimal::new(1, scale),
        3 => Decimal::new(random.below(5) as i64 * 100, 2),
        4 => Decimal::new(0, 1),
        _ => Decimal::new(random.below(2001) as i64 - 1000, random.below(scale.min(3) as usize + 1) as u32),
    }
}

fn json(random: &mut Random, depth: usize, manners: Manners) -> Json {
    let kinds = if depth == 0 { 8 } else { 14 };
    match random.below(kinds) {
        0 => Json::Null,
        1 => Json::Bool(random.chance(50)),
        2 => Json::from(*random.pick(&[0i64, 1, 2, -1, i64::MAX, i64::MIN, 9_007_199_254_740_993])),
        3 => Json::from(*random.pick(&[1.0f64, 0.5, -2.25, 1e21, 2.0, 9_007_199_254_740_992.0])),
        4 => Json::from(*random.pick(&[u64::MAX, 1, 1 << 63])),
        5 | 6 => Json::String(text(random, 60, manners)),
        7 => Json::String((*random.pick(&["1", "true", "null", "a", ""])).to_owned()),
        8 | 9 => Json::Array((0..random.below(4)).map(|_| json(random, depth - 1, manners)).collect()),
        _ => {
            let keys = ["a", "b", "c", "0", "", "a.b", "it's", "\"q\"", "$x", "key with space", "\u{e9}", "a[0]", "\\"];
            (0..1 + random.below(4)).map(|_| ((*random.pick(&keys)).to_owned(), json(random, depth - 1, manners))).collect()
        }
    }
}

fn vector(random: &mut Random, length: usize, metric: Option<Metric>) -> Vec<f32> {
    let mut numbers: Vec<f32> = match random.below(4) {
        0 => (0..length).map(|_| random.below(3) as f32 - 1.0).collect(),
        1 => (0..length).map(|_| (random.below(9) as f32 - 4.0) / 8.0).collect(),
        _ => (0..length).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect(),
    };
    // A zero vector is refused under cosine.
    if matches!(metric, Some(Metric::Cosine) | None) && numbers.iter().all(|n| *n == 0.0) {
        numbers[0] = 1.0;
    }
    numbers
}
