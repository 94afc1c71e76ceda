//! A rehearsal: the application's own layout with memory in every place, with exactly the same capabilities. For tests
//! that need no server and no file.
//!
//! `cargo run --example rehearsal`

use heavenbase::prelude::*;

#[derive(Layout)]
struct Shop {
    #[layout(default)]
    main: Sqlite,
    archive: JsonFile,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Shop)]
struct Order {
    object_id: Id,
    #[store(to = "main", index)]
    customer: String,
    #[store(to = "main")]
    total: i64,
    #[store(to = "archive")]
    receipt: Json,
}

/// What the application does, over whatever the workspace is opened on.
async fn total_of(ws: &Workspace<Shop>, customer: &str) -> heavenbase::Result<i64> {
    let sum = ws.query::<Order>().filter(Order::CUSTOMER.eq(customer)).aggregate(Order::TOTAL.sum()).one().await?;
    Ok(sum.unwrap_or(0))
}

#[tokio::main]
async fn main() -> heavenbase::Result<()> {
    let ws = Workspace::open(Shop::rehearsal()).await?;
    ws.register::<Order>().await?;
    for (id, total) in [("o1", 40), ("o2", 2)] {
        let receipt = serde_json::json!({ "lines": [total] });
        ws.insert(&Order { object_id: id.into(), customer: "ada".into(), total, receipt }).await?;
    }
    assert_eq!(total_of(&ws, "ada").await?, 42);
    println!("ada bought for {}; asked of {:?}", total_of(&ws, "ada").await?, ws.backends().engine("main"));

    let again = ws.insert(&Order { object_id: "o1".into(), customer: "bob".into(), total: 1, receipt: Json::Null }).await;
    println!("the same id again: {}", again.err().map(|e| e.to_string()).unwrap_or_default());
    Ok(())
}
