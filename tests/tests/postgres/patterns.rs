//! Patterns, compared with Rust.

use heavenbase::backends::{Connect, Postgres};
use heavenbase::capability::Placement;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase_tests::data::Spec;

use super::common::{SHORT, address, all, batch, part, text};

#[tokio::test(flavor = "multi_thread")]
async fn patterns_taken_match_what_rust_matches() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(address).connect().await.unwrap();
    let part = part(&driver, "postgres", Spec::entity("patterns", &[Spec::new("t", SHORT, Placement::InlineColumn).required()]));
    driver.ensure(&part).await.unwrap();
    let texts = [
        "",
        "a",
        "ab",
        "abc",
        "aab",
        "b",
        "A",
        "ABC",
        "a\nb",
        "\n",
        "a b",
        "a.b",
        "a*b",
        "[x]",
        "x-y",
        "^",
        "$",
        "\\",
        "a\\b",
        "{2}",
        "aa",
        "aaaa",
        "12",
        "１２",
        "é",
        "É",
        "e\u{301}",
        "ß",
        "ẞ",
        "SS",
        "ſ",
        "s",
        "K",
        "\u{212a}",
        "k",
        "😀",
        "😀😀",
        "日本",
        "\u{10ffff}",
        "\u{1}",
        "\u{7f}",
        "***:a",
        "***=a",
        "(?i)a",
        "tab\t",
        "#c",
        "a#b",
        "  ",
    ];
    let rows = texts.iter().enumerate().map(|(i, t)| (format!("{i:03}"), vec![text(t)])).collect();
    driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
    let patterns = [
        "",
        "a",
        "^a",
        "b$",
        "^$",
        "^a.b$",
        "(?s)^a.b$",
        "a|b",
        "a|",
        "|a",
        "(?:)",
        "(a|)(b|)$",
        "^(?:ab|a)*$",
        "a+",
        "a{2}",
        "^a{2,3}$",
        "a{2,}",
        "a*?b",
        "[a-c]",
        "[^a-z]",
        r"\.",
        r"\*",
        r"\[x\]",
        "[x-]",
        r"[\]\[]",
        r"\\",
        r"\$",
        r"^\^",
        r"\{2\}",
        r"(?-u:\d)",
        r"\pL",
        "(?i)k",
        "(?i)ß",
        "(?i)ss",
        "(?i)É",
        "[😀-😂]",
        "^.$",
        "^..$",
        "日|é",
        r"\x{10ffff}",
        r"[\x00-\x1f]",
        r"\x01",
        r"\***:a",
        r"\(\?i\)a",
        r"\t",
        "#",
        "(?x) a # b",
        "^ +$",
        "(a(b(c)?)?)?$",
        "^(a|ab)(c|bcd)?$",
        r"\A\z",
        "[[:alpha:]]",
        "[^\\n]",
        "(?:a|b){1,3}c",
        "((((a))))",
        r"\s",
        r"\S",
        r"\w",
        r"\d",
        r"\bx",
    ];
    let mut native = 0;
    for pattern in patterns {
        let rust = regex::Regex::new(pattern).unwrap();
        let query = SubQuery { filter: Filter::from(Test::new("t", Condition::Regex(pattern.to_owned()))), ..SubQuery::default() };
        if !driver.plan(&part, &query).remainder.is_all() {
            println!("left to the planner: {pattern}");
            continue;
        }
        native += 1;
        let expected: Vec<String> = texts.iter().enumerate().filter(|(_, t)| rust.is_match(t)).map(|(i, _)| format!("{i:03}")).collect();
        let found: Vec<String> = all(&driver, &part, query).await.ids.iter().map(|id| id.as_str().to_owned()).collect();
        assert_eq!(found, expected, "{pattern:?}");
    }
    assert!(native > 45, "only {native} patterns ran natively");
    driver.drop_part(&part).await.unwrap();
}
