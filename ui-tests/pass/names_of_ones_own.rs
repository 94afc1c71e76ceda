// The derived code names nothing that the user's own names could shadow.
#![allow(dead_code, non_camel_case_types)]

mod user {
    use ::heavenbase::prelude::{Category, Entity, Id, Layout, Logical, Projection, Sqlite};

    struct Vec;
    struct Option;
    struct String;
    struct Result;
    struct Value;
    struct Some;
    struct Ok;
    struct str;
    mod heavenbase {}
    mod std {}
    mod core {}

    #[derive(Layout)]
    struct Shop {
        main: Sqlite,
    }

    #[derive(Entity)]
    #[entity(layout = Shop)]
    struct Thing {
        object_id: Id,
        values: i64,
        row: f64,
        layout: bool,
        #[default(Shape::Round)]
        shape: Shape,
    }

    #[derive(Category)]
    enum Shape {
        Round,
    }

    #[derive(Logical)]
    struct Wrapped(i64);

    #[derive(Projection)]
    #[projection(of = Thing)]
    struct Card {
        row: f64,
    }
}

fn main() {}
