//! What `register` refuses, and how it says so. It never alters anything.

use heavenbase::ErrorKind;
use heavenbase::prelude::*;

use super::engines::{Engine, Theirs, each};

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table = "main.checked")]
struct Checked {
    #[id(column = "k", as = i64)]
    object_id: Id,
    #[text(max = 20)]
    label: String,
    size: Option<i64>,
    weight: f64,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, name = "checked_reader", table = "main.checked", read_only)]
struct Reader {
    #[id(column = "k", as = i64)]
    object_id: Id,
    #[text(max = 20)]
    label: String,
    size: Option<i64>,
    weight: f64,
}

/// What is made, and what is said of it: to the writer, and to the reader; nothing when it fits.
struct Case {
    made: &'static str,
    writer: &'static str,
    reader: &'static str,
    field: Option<&'static str>,
}

const FITS: &str = "";

fn case(made: &'static str, writer: &'static str, reader: &'static str, field: impl Into<Option<&'static str>>) -> Case {
    Case { made, writer, reader, field: field.into() }
}

async fn run(engine: &Engine, cases: Vec<Case>) {
    for Case { made, writer, reader, field } in cases {
        engine.sql(made).await;
        let before = engine.catalog().await;
        let ws = engine.open().await;
        for (found, said) in [(ws.register::<Checked>().await, writer), (ws.register::<Reader>().await, reader)] {
            match found {
                Ok(_) => assert_eq!(said, FITS, "{}: {made}", engine.name),
                Err(error) => {
                    assert!(!said.is_empty() && error.to_string().contains(said), "{}: {made}\n{error}", engine.name);
                    assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, field), "{made}");
                }
            }
        }
        assert_eq!(engine.catalog().await, before, "{}: {made}", engine.name);
        let drop =
            if made.starts_with("CREATE TABLE base") { "DROP VIEW main.checked;\nDROP TABLE base" } else { "DROP TABLE main.checked" };
        if !made.starts_with("SELECT") {
            engine.sql(drop).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_told() {
    each(|engine| async move {
        let (float, text) = if engine.is_sqlite() { ("REAL", "TEXT") } else { ("float8", "text") };
        let own = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let table = |columns: &str| own(format!("CREATE TABLE main.checked ({columns})"));
        let rest = format!("label {text} NOT NULL, size bigint, weight {float} NOT NULL");
        let mut cases = vec![
            case("SELECT 1", "the table `main.checked` that the entity maps is not there", "is not there", None),
            case(table(&format!("k bigint NOT NULL PRIMARY KEY, {rest}")), FITS, FITS, None),
            case(table(&format!("k bigint NOT NULL PRIMARY KEY, {rest}, other {text} NOT NULL DEFAULT 'x'")), FITS, FITS, None),
            case(table(&format!("key bigint NOT NULL PRIMARY KEY, {rest}")), "has no column `k`: it has key, label", "no column `k`", "object_id"),
            case(
                table(&format!("k {text} NOT NULL PRIMARY KEY, {rest}")),
                "the key `k` of `main.checked` is",
                "say #[id(column = …, as = String)]",
                "object_id",
            ),
            case(table(&format!("k bigint NOT NULL, {rest}")), "is no key", FITS, "object_id"),
            case(table(&format!("k bigint UNIQUE, {rest}")), "is no key", FITS, "object_id"),
            case(table(&format!("k bigint NOT NULL, j bigint NOT NULL, {rest}, PRIMARY KEY (k, j)")), "is no key", FITS, "object_id"),
            case(
                table(&format!("k bigint NOT NULL PRIMARY KEY, label {text} NOT NULL, weight {float} NOT NULL")),
                "has no column `size`",
                "it has k, label, weight",
                "size",
            ),
            case(
                table(&format!("k bigint NOT NULL PRIMARY KEY, label {text}, size bigint, weight {float} NOT NULL")),
                "the column `label` of `main.checked` takes null and the field is not optional",
                "write `Option<…>`",
                "label",
            ),
            case(
                table(&format!("k bigint NOT NULL PRIMARY KEY, label {text} NOT NULL, size bigint NOT NULL, weight {float} NOT NULL")),
                "takes no null and the field is optional",
                FITS,
                "size",
            ),
            case(
                table(&format!("k bigint NOT NULL PRIMARY KEY, {rest}, other {text} NOT NULL")),
                "the column `other` of `main.checked` takes no null, has no default, and no field",
                FITS,
                None,
            ),
            case(
                table(&format!("k bigint NOT NULL PRIMARY KEY, label {text} NOT NULL, size bigint, weight {text} NOT NULL")),
                "which no float field reads",
                "which no float field reads",
                "weight",
            ),
            case(
                own(format!("CREATE TABLE base (k bigint NOT NULL PRIMARY KEY, {rest});\nCREATE VIEW main.checked AS SELECT * FROM base")),
                "is a view or a foreign table, which is read: mark the entity `read_only`",
                FITS,
                None,
            ),
        ];
        if engine.is_sqlite() {
            cases.extend([
                case(table(&format!("k integer PRIMARY KEY, {rest}")), FITS, FITS, None),
                case(
                    table("k integer PRIMARY KEY, label DATETIME NOT NULL, size bigint, weight REAL NOT NULL"),
                    "SQLite has no type for times",
                    "map a view",
                    "label",
                ),
                case(
                    table("k integer PRIMARY KEY, label TEXT NOT NULL, size bigint GENERATED ALWAYS AS (1), weight REAL NOT NULL"),
                    "is written by the database alone",
                    FITS,
                    "size",
                ),
            ]);
        } else {
            cases.extend([
                case(
                    table("k int PRIMARY KEY, label varchar(20) NOT NULL, size integer, weight float8 NOT NULL"),
                    "is integer, which does not keep every int of the field",
                    FITS,
                    "size",
                ),
                case(
                    table("k bigint PRIMARY KEY, label varchar(19) NOT NULL, size bigint, weight float8 NOT NULL"),
                    "is character varying(19), which does not keep every text(20)",
                    FITS,
                    "label",
                ),
                case(
                    table("k bigint PRIMARY KEY, label text NOT NULL, size bigint, weight real NOT NULL"),
                    "is real, which does not keep every float",
                    FITS,
                    "weight",
                ),
                case(
                    table("k bigint PRIMARY KEY, label char(20) NOT NULL, size bigint, weight float8 NOT NULL"),
                    "compares without the blanks at its end",
                    "compares without the blanks",
                    "label",
                ),
                case(table(&format!("k bigint PRIMARY KEY DEFERRABLE, {rest}")), "is no key", FITS, "object_id"),
                case(
                    table(&format!("k bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {rest}")),
                    "the database alone writes the key",
                    FITS,
                    "object_id",
                ),
            ]);
        }
        // The wheel with pgvector is built without ICU.
        if engine.name == "postgres" {
            cases.push(case(
                    own("CREATE COLLATION IF NOT EXISTS main.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);\n\
                         CREATE TABLE main.checked (k bigint PRIMARY KEY, label text COLLATE main.ci NOT NULL, size bigint, weight float8 NOT NULL)"
                        .into()),
                    "its collation calls different texts equal",
                    "map a view",
                    "label",
                ));
        }
        run(&engine, cases).await;
    })
    .await;
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table = "elsewhere.main.checked", read_only)]
struct Elsewhere {
    object_id: Id,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_leads_out_of_the_database_is_told() {
    each(|engine| async move {
        let error = engine.open().await.register::<Elsewhere>().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error}");
        assert!(error.to_string().contains("the table `elsewhere.main.checked` cannot be reached"), "{error}");
    })
    .await;
}
