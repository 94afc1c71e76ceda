// An entity that a macro of the user's writes: names and types come from the call, the rest from the macro.
use heavenbase::prelude::*;

#[derive(Layout)]
struct Shop {
    #[layout(default)]
    main: Sqlite,
    memory: InMem,
}

macro_rules! entity {
    ($(#[$of_entity:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Clone, Debug, PartialEq, Entity)]
        $(#[$of_entity])*
        struct $name {
            object_id: Id,
            $($(#[$of_field])* $field: $type),*
        }
    };
}

entity! {
    #[entity(layout = Shop, owner = "main", index(title, stock))]
    Product {
        title: String,
        #[store(to = "memory", index)] price: f64,
        #[store(to = "main")] #[compute(length)] length: i64,
        #[store(to = "memory", metric = "cosine")] #[compute(embed, from(title))] near: Option<Vector<2>>,
        #[default] stock: u32,
        #[cfg(any())] gone: u128,
    }
}

fn length(product: &Product) -> i64 {
    product.title.len() as i64
}

macro_rules! projection {
    ($name:ident of $entity:ident { $($field:ident: $type:ty),* }) => {
        #[derive(Debug, Projection)]
        #[projection(of = $entity)]
        #[allow(dead_code)]
        struct $name { $($field: $type),* }
    };
}

projection!(Card of Product { object_id: Id, price: f64 });

macro_rules! category {
    ($name:ident: $($variant:ident),*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Category)]
        enum $name { $($variant),* }
    };
}

category!(Color: Red, Blue);

fn main() {
    let _ = Query::<Product>::new().filter(Product::PRICE.lt(3.0) & Product::LENGTH.ge(2)).select_as::<Card>();
    let _ = Color::Blue;
}
