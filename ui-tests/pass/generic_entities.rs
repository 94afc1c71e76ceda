// An entity may have parameters: the bounds that its fields need are written on it.
use heavenbase::capability::class;
use heavenbase::prelude::*;

#[derive(Layout)]
struct Shop {
    main: Sqlite,
}

#[derive(Entity)]
#[entity(layout = Shop)]
struct Measured<T: Logical<Class = class::Int, Base = i64> + Send + Sync + 'static, const N: usize> {
    object_id: Id,
    value: T,
    at: Vector<N>,
}

fn main() {
    let _ = Query::<Measured<u8, 3>>::new().filter(<Measured<u8, 3>>::VALUE.lt(3)).near(<Measured<u8, 3>>::AT, &[1.0, 0.0, 0.0], 1);
}
