// A read_only entity has no method that writes its rows.
use heavenbase::prelude::*;
use heavenbase_ui_tests::Shop;

#[derive(Entity)]
#[entity(layout = Shop, table = "sales.orders", read_only)]
struct Order {
    #[id(column = "orderkey", as = i64)]
    object_id: Id,
    total: f64,
}

async fn writes(workspace: Workspace<Shop>, order: Order) {
    let _ = workspace.upsert(&order).await;
}

fn main() {}
