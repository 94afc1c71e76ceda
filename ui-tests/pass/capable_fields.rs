// The twins of the capability cases: the same operations where the table has them.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let filters: Vec<Predicate<Product>> = vec![
        Product::PRICE.eq(1.0) & Product::EMBEDDING.is_null() & Product::EMBEDDING.is_some(),
        Product::PRICE.lt(1.0) | Product::ADDED.ge(Timestamp::now()) | Product::COST.between(1, 2),
        Product::TITLE.contains("a") & Product::TITLE.icontains("a") & Product::TITLE.like("a%") & Product::TITLE.ilike("a%"),
        Product::TITLE.regex("^a") & Product::TITLE.starts_with("a") & Product::TITLE.ends_with("a"),
        Product::BODY.matches("desk") & Product::BODY.phrase("oak desk") & Product::BODY.on(Shop::MEMORY).matches("desk"),
        Product::TAGS.has("a") & Product::TAGS.has_any(["a", "b"]) & Product::TAGS.has_all(vec!["a".to_owned()]) & Product::TAGS.len().gt(3),
        Product::PAYLOAD.path(["a", "b"]).eq("b") & Product::PAYLOAD.path([0]).gt(1),
        Product::COLOR.eq(Color::Red) & Product::COLOR.in_list([Color::Red, Color::Blue]) & Product::SOLD.ne(true),
        Product::MAKER.eq("m") & Product::MAKER.eq(&Id::from("m")) & Product::OBJECT_ID.gt("a") & Product::PICTURE.eq(&[1u8, 2][..]),
        Product::STOCK.eq(None) | Product::STOCK.eq(3) | Product::STOCK.in_list([Some(1), None]),
        Product::NOTE.contains("a") & Product::NOTE.eq("a"),
    ];
    let _ = Query::<Product>::new()
        .filter(Predicate::all_of(filters))
        .near(Product::EMBEDDING, &[1.0, 0.0, 0.0], 10)
        .order_by(Product::TITLE.asc())
        .order_by(Product::ADDED.desc());
    let _ = Query::<Product>::new().near(Product::EMBEDDING, &Vector::from([1.0, 0.0, 0.0]), 10).exact();
    let _ = Query::<Product>::new().matching(Product::BODY, "desk", 10).select((Product::TITLE, SCORE));
    let _ = Query::<Product>::new().hybrid([near(Product::EMBEDDING, &[1.0, 0.0, 0.0]), matching(Product::BODY, "desk")], 10);
    let numbers = (COUNT, Product::PRICE.sum(), Product::STOCK.avg(), Product::TITLE.min(), Product::ADDED.max(), Product::COLOR.count_distinct());
    let _: Query<Product, (Option<i64>, (i64, Option<f64>, Option<f64>, Option<String>, Option<Timestamp>, i64))> =
        Query::<Product>::new().group_by(Product::STOCK, numbers).having(Product::PRICE.sum().gt(3.0));
}
