// The twins of the cases that are not native: said at the field, the scan runs what means something on the type.
use heavenbase::prelude::*;
use heavenbase_ui_tests::*;

fn main() {
    let _ = Query::<Product>::new()
        .filter(Product::TITLE.scan().matches("desk") & Product::TITLE.scan().phrase("oak desk") & Product::NOTE.scan().matches("desk"))
        .near(Product::THUMBNAIL.scan(), &[1.0, 0.0, 0.0], 10);
    let _ = Query::<Product>::new().matching(Product::TITLE.scan(), "desk", 10);
    let _ = Query::<Product>::new().hybrid([near(Product::THUMBNAIL.scan(), &[1.0, 0.0, 0.0]), matching(Product::TITLE.scan(), "desk")], 10);
    let _ = Query::<Product>::new().aggregate(Product::COST.scan().sum());
}
