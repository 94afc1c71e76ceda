use syn::DeriveInput;

use super::{check, expand, parse};
use crate::errors::Errors;

/// What is said about an entity `Thing` of these fields, `object_id` apart. Expansion must not panic either.
fn messages(attributes: &str, fields: &str) -> Vec<String> {
    of(&format!("#[entity(layout = Shop{attributes})] struct Thing {{ object_id: Id, {fields} }}"))
}

fn of(text: &str) -> Vec<String> {
    let input: DeriveInput = syn::parse_str(text).unwrap();
    let mut errors = Errors::default();
    let mut model = parse::parse(&input, &mut errors);
    check::check(&mut model, &mut errors);
    // What comes out is Rust, whatever went in.
    syn::parse2::<syn::File>(expand::expand(&model)).unwrap();
    errors.messages()
}

#[test]
fn a_right_entity_gives_no_message() {
    let fields = r#"
        #[store(to = "main", index, unique, name = "t")] #[text(max = 255)] title: String,
        #[store(as = SideTable, index = btree(fill = 90,),)] tags: Vec<String>,
        #[store(to = "a", metric = "l2")] #[store(to = "b", copy)] v: Vector<3>,
        #[decimal(precision = 28, scale = 0)] #[default(Decimal::ONE)] price: Decimal,
        #[default] #[compute(crate::length)] r#type: i64,
        #[serde(default)] #[doc = "x"] other: bool,
        #[compute(embed = "large", from(title, r#type))] meaning: Option<Vector<3>>,
        #[compute(embed::of)] hash: i64,
    "#;
    assert_eq!(messages(", index(tags, r#type), name = \"x\", read_only,", fields), [] as [&str; 0]);
    assert_eq!(messages(", options(main(a = \"1\", b = \"2\"), other(a = \"1\"),), options(main(c = \"\"))", fields), [] as [&str; 0]);
}

#[test]
fn each_mistake_in_a_field_gives_its_message() {
    for (field, expected) in [
        (r#"#[store] a: i64"#, "`#[store]` takes keys: `to`, `as`, `index`, `unique`, `metric`, `copy`, `name`, `default`"),
        (r#"#[store(to)] a: i64"#, "`to` takes a text: `to = \"…\"`"),
        (r#"#[store(to = 3)] a: i64"#, "`to` takes a text: `to = \"…\"`"),
        (r#"#[store(to = "")] a: i64"#, "`to` cannot be blank"),
        (
            r#"#[store(to = "Main")] a: i64"#,
            "`Main` cannot be the name of a backend: lower-case ASCII letters, digits and `_`, a letter first",
        ),
        (r#"#[store(unique = true)] a: i64"#, "`unique` takes no value"),
        (r#"#[store(index, index)] a: i64"#, "`index` is given twice"),
        (r#"#[store(index = hnsw(m = 1, m = 2))] a: i64"#, "`m` is given twice"),
        (r#"#[store(to "main")] a: i64"#, "`to` takes a text: `to = \"…\"`"),
        (r#"#[store(index unique)] a: i64"#, "write `index`, `index = hnsw` or `index = hnsw(m = 16)`"),
        (r#"#[store("main")] a: i64"#, "expected ident"),
        (r#"#[store(metric = "near")] a: i64"#, "unknown metric `near`: expected one of `cosine`, `l2`, `dot`"),
        (r#"#[store(name = "_hb_x")] a: i64"#, "`_hb_x` is the runtime's own name in storage: choose another"),
        (r#"#[text(max = 3)] #[text(max = 4)] a: String"#, "`#[text]` is given twice"),
        (r#"#[text(max = "3")] a: String"#, "expected integer literal"),
        (r#"#[text(max = 4294967296)] a: String"#, "`max` is a number of characters, 1 to 4294967295"),
        (r#"#[decimal(scale = 2)] a: Decimal"#, "`#[decimal]` takes both: `#[decimal(precision = 12, scale = 2)]`"),
        (r#"#[decimal(precision = 0, scale = 0)] a: Decimal"#, "`precision` is 1 to 28 digits"),
        (r#"#[decimal(precision = 3, scale = 4)] a: Decimal"#, "4 digits after the point do not fit into 3 digits"),
        (r#"#[decimal(precision = 99, scale = 4)] a: Decimal"#, "`precision` is a number of digits, at most 28"),
        (r#"#[default = 3] a: i64"#, "write `#[default]` or `#[default(expression)]`"),
        (
            r#"#[compute] a: i64"#,
            "write `#[compute(path::to::function)]`, a function from the entity to the field's type, or `#[compute(embed, from(title, body))]`, \
             which embeds the text of other fields",
        ),
        (
            r#"#[compute(embed)] a: Vector<3>"#,
            "`embed` takes the fields whose text it embeds: `#[compute(embed, from(title, body))]`; a function of this name is `self::embed`",
        ),
        (r#"#[compute(embed, from())] a: Vector<3>"#, "`from` names no field"),
        (r#"#[compute(embed, from)] a: Vector<3>"#, "`from` takes a list of fields: `from(a, b)`"),
        (r#"#[compute(embed, from(b))] a: Vector<3>"#, "no field `b`: expected one of `a`"),
        (r#"b: String, #[compute(embed, from(b, b))] a: Vector<3>"#, "`b` is given twice"),
        (r#"b: String, #[compute(embed = x, from(b))] a: Vector<3>"#, "`embed` takes a text: `embed = \"…\"`"),
        (r#"b: String, #[compute(embed, of(b), from(b))] a: Vector<3>"#, "unknown key `of`: expected one of `embed`, `from`"),
        (r#"#[id(from(b))] a: i64"#, "`#[id]` stands on `object_id`"),
        (r#"#[default] #[store(default)] a: i64"#, "`a` has two defaults: `#[default]` and that of `#[store]`"),
        (r#"#[store(to = "a")] #[store(to = "b", copy, default = 3)] a: i64"#, "a field has one default: say it in the first `#[store]`"),
        (r#"_hb: i64"#, "`_hb` cannot be the name of a field: names that start with `_hb` are the runtime's own"),
        (r#"__: i64"#, "`__` cannot be the name of a field: its constant would have no name"),
        (r#"a_b: i64, aB: i64"#, "another field has the constant `A_B` already: rename one"),
        (r#"a: i64, #[store(name = "a")] b: i64"#, "`a` and `b` would both be stored as `a`: give one another name"),
    ] {
        assert_eq!(messages("", field), [expected], "{field}");
    }
}

#[test]
fn each_mistake_of_the_whole_gives_its_message() {
    for (attributes, expected) in [
        (", owner = \"A B\"", "`A B` cannot be the name of a backend: lower-case ASCII letters, digits and `_`, a letter first"),
        (", index", "`index` takes a list of fields: `index(a, b)`"),
        (", index()", "`index` names no field"),
        (", index(b)", "no field `b`: expected one of `a`"),
        (", unique(a, a)", "`a` is given twice"),
        (", table(\"a\", 3)", "expected string literal"),
        (", table()", "`table` says no name"),
        (", table", "`table` takes a text, or several: `table = \"…\"`, `table(\"…\", \"…\")`"),
        (", table = \"a..b\"", "a table has a name, and so have its schema and catalog: one of them is blank"),
        (", table = \"a\\0b\"", "no name in a database holds U+0000"),
        (
            ", table = \"a.b.c.d\"",
            "a table is named by at most catalog, schema and table: write names that hold dots as `table(\"schema\", \"a.b\")`",
        ),
        (", table = \"t\", index(a)", "nothing is made in a table that exists already: leave `index` and `unique` to the database"),
        (", options", "`options` takes options of a backend: `options(backend(option = \"…\"))`"),
        (", options(main)", "`options` takes options of a backend: `options(backend(option = \"…\"))`"),
        (", options(main(a = \"1\"), main(a = \"2\"))", "`a` is given twice for `main`"),
        (
            ", layouts = Shop",
            "unknown key `layouts`: expected one of `layout`, `name`, `owner`, `index`, `unique`, `table`, `read_only`, `options`",
        ),
    ] {
        assert_eq!(messages(attributes, "a: i64"), [expected], "{attributes}");
    }
    for (text, expected) in [
        ("#[entity(layout = Shop)] struct A(Id);", "an entity is a struct with named fields"),
        ("enum A {}", "an entity is a struct with named fields"),
        ("#[entity(layout = Shop)] struct A { b: i64 }", "no field `object_id: Id`: every entity has one"),
        ("#[entity(layout = Shop)] struct A { object_id: i64 }", "`object_id` is of type `Id`"),
        ("struct A { object_id: Id }", "no layout: write `#[entity(layout = …)]` on the struct, naming the struct of the backends"),
        ("#[entity(read_only)] struct A { object_id: Id }", "no layout: write `#[entity(layout = …)]`, naming the struct of the backends"),
        (
            "#[entity(layout = Shop)] struct A { #[text(max = 3)] object_id: Id }",
            "`#[text]` has no meaning on `object_id`: the id lies on every backend that holds a part of the row",
        ),
        (
            "#[entity(layout = Shop)] struct A { #[id(column = \"key\")] object_id: Id }",
            "`column` and `as` speak of the key of a table that exists already: give `#[entity(table = …)]` too",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { #[id(as = f64)] object_id: Id }",
            "the key of a table is an `i64`, a `Uuid` or a `String`: its text is the id",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { #[id(as = i64, from(b))] object_id: Id, b: i64 }",
            "an id that is made from fields is a UUID: the key is `Uuid` or `String`",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { object_id: Id, #[store(index)] b: i64 }",
            "nothing is made in a table that exists already: leave `index` and `unique` to the database",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { object_id: Id, #[store(to = \"a\")] b: i64, #[store(to = \"b\")] c: i64 }",
            "every field of a table that exists already lies in it: give fields of other backends an entity of their own",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { object_id: Id, #[store(to = \"a\")] #[store(to = \"b\", copy)] b: i64 }",
            "every field of a table that exists already lies in it: give fields of other backends an entity of their own",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { object_id: Id, b: String, #[compute(embed, from(b))] c: Vector<3> }",
            "an embedding has a digest of its sources beside it, and nothing is made in a table that exists already: compute the vector \
             outside, or store it in an entity of its own",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { object_id: Id, #[default] b: i64 }",
            "a default is of rows from before a field: in a table that exists already write `Option`",
        ),
        (
            "#[entity(layout = Shop, table = \"t\")] struct A { #[id(column = \"k\")] object_id: Id, #[store(name = \"k\")] b: i64 }",
            "the key's column is written as the id: leave the field out, or mark the entity `read_only`",
        ),
        ("#[entity(layout = Shop)] struct A { #[id(from(b))] object_id: Id }", "no field `b`: expected one of "),
    ] {
        assert_eq!(of(text), [expected], "{text}");
    }
}

#[test]
fn all_mistakes_are_reported_together() {
    let found = messages(", colour = 3, read_only = 1", "#[store(what = 1, to = \"A\")] a: i64, #[text(min = 1)] b: String");
    assert_eq!(found.len(), 5, "{found:?}");
}
