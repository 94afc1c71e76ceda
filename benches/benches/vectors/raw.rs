//! Searches as a client sends them by hand.

use std::sync::Arc;

use serde_json::{Value as Answer, json};
use sqlx::encode::IsNull;
use sqlx::postgres::{PgArgumentBuffer, PgPool, PgPoolOptions, PgTypeInfo};
use sqlx::{AssertSqlSafe, Postgres, Row};

use crate::Failed;
use crate::milvus::Collection;
use crate::rows::{Among, Rows};

/// A client of one table, index or collection.
pub enum Client {
    Pg {
        pool: PgPool,
        table: String,
    },
    /// `lean` asks for ids as doc values: `_id` lies among compressed documents, with their vectors.
    Elastic {
        http: reqwest::Client,
        url: String,
        lean: bool,
    },
    Chroma {
        http: reqwest::Client,
        url: String,
    },
    Milvus(Collection),
}

/// A vector as pgvector takes it in binary.
struct Numbers<'a>(&'a [f32]);

impl sqlx::Type<Postgres> for Numbers<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("vector")
    }
}

impl sqlx::Encode<'_, Postgres> for Numbers<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, sqlx::error::BoxDynError> {
        buffer.extend_from_slice(&u16::try_from(self.0.len())?.to_be_bytes());
        buffer.extend_from_slice(&[0, 0]);
        self.0.iter().for_each(|n| buffer.extend_from_slice(&n.to_be_bytes()));
        Ok(IsNull::No)
    }
}

fn http() -> Result<reqwest::Client, Failed> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Ok(reqwest::Client::builder().tls_backend_preconfigured(config).tcp_nodelay(true).build()?)
}

impl Client {
    /// Connects to the table, index or collection of a part.
    pub async fn connect(kind: &str, url: &str, table: &str, _: &Rows) -> Result<Client, Failed> {
        match kind {
            "pgvector" => {
                // As many connections as an application has: they take turns, as ours do.
                let pool = PgPoolOptions::new().max_connections(4).test_before_acquire(false).after_connect(|connection, _| {
                    let settings = "SET hnsw.iterative_scan = relaxed_order; SET hnsw.ef_search = 200";
                    Box::pin(async move { sqlx::raw_sql(settings).execute(connection).await.map(drop) })
                });
                let pool = pool.connect(url).await?;
                sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE \"{table}\""))).execute(&pool).await?;
                Ok(Client::Pg { pool, table: table.to_owned() })
            }
            "elasticsearch" => Ok(Client::Elastic { http: http()?, url: format!("{url}/{table}/_search"), lean: false }),
            "milvus" => Ok(Client::Milvus(Collection::connect(url, table)?)),
            _ => {
                let http = http()?;
                let base = format!("{url}/api/v2/tenants/default_tenant/databases/default_database/collections");
                let answer = http.get(format!("{base}/{table}")).send().await?;
                let found: Answer = serde_json::from_slice(&answer.bytes().await?)?;
                let id = found["id"].as_str().ok_or("no collection")?;
                Ok(Client::Chroma { http, url: format!("{base}/{id}/query") })
            }
        }
    }

    /// The same, by the leanest requests.
    pub fn lean(self) -> Client {
        match self {
            Client::Elastic { http, url, .. } => Client::Elastic { http, url, lean: true },
            other => other,
        }
    }

    /// The ids of the texts that hold all words, best first by the server's own score, with it.
    pub async fn matching(&self, words: &str, k: usize) -> Result<Vec<(String, f64)>, Failed> {
        let Client::Elastic { http, url, lean } = self else { return Err("texts are searched on Elasticsearch alone".into()) };
        let query = json!({ "match": { "w.gloss": { "query": words, "operator": "and" } } });
        elastic(http, url, *lean, json!({ "size": k, "query": query, "track_total_hits": false })).await
    }

    /// The ids of the nearest rows, with their scores.
    pub async fn nearest(&self, target: &[f32], k: usize, among: Among<'_>) -> Result<Vec<(String, f64)>, Failed> {
        match self {
            Client::Pg { pool, table } => {
                let filter = match among {
                    Among::All => "",
                    Among::Below(_) => "WHERE rank < $2",
                    Among::Ids(_) => "WHERE object_id = ANY($2)",
                };
                let text =
                    format!("SELECT object_id, 1 - (embedding <=> $1) FROM \"{table}\" {filter} ORDER BY embedding <=> $1 LIMIT {k}");
                let query = sqlx::query(AssertSqlSafe(text)).bind(Numbers(target));
                let query = match among {
                    Among::All => query,
                    Among::Below(below) => query.bind(below),
                    Among::Ids(ids) => query.bind(ids),
                };
                Ok(query.fetch_all(pool).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
            }
            Client::Elastic { http, url, lean } => {
                let mut knn = json!({ "field": "f.embedding", "query_vector": target, "k": k, "num_candidates": k.max(200) });
                match among {
                    Among::All => {}
                    Among::Below(below) => knn["filter"] = json!({ "range": { "f.rank": { "lt": below } } }),
                    Among::Ids(ids) => knn["filter"] = json!({ "ids": { "values": ids } }),
                }
                elastic(http, url, *lean, json!({ "size": k, "knn": knn, "track_total_hits": false })).await
            }
            Client::Milvus(collection) => collection.nearest(target, k, among).await,
            Client::Chroma { http, url } => {
                let mut body = json!({ "query_embeddings": [target], "n_results": k, "include": ["distances"] });
                match among {
                    Among::All => {}
                    Among::Below(below) => body["where"] = json!({ "rank": { "$lt": below } }),
                    Among::Ids(ids) => body["ids"] = json!(ids),
                }
                let answer = post(http, url, body).await?;
                let (ids, distances) =
                    (answer["ids"][0].as_array().ok_or("no ids")?, answer["distances"][0].as_array().ok_or("no distances")?);
                let pairs = ids.iter().zip(distances);
                Ok(pairs.filter_map(|(id, distance)| Some((id.as_str()?.to_owned(), 1.0 - distance.as_f64()?))).collect())
            }
        }
    }
}

async fn elastic(http: &reqwest::Client, url: &str, lean: bool, mut body: Answer) -> Result<Vec<(String, f64)>, Failed> {
    if lean {
        body["stored_fields"] = json!("_none_");
        body["docvalue_fields"] = json!(["hb.id"]);
    } else {
        body["_source"] = json!(false);
    }
    let answer = post(http, url, body).await?;
    let hits = answer["hits"]["hits"].as_array().ok_or("no hits")?;
    let id = |hit: &Answer| if lean { hit["fields"]["hb.id"][0].as_str() } else { hit["_id"].as_str() }.map(str::to_owned);
    Ok(hits.iter().filter_map(|hit| Some((id(hit)?, hit["_score"].as_f64()?))).collect())
}

async fn post(http: &reqwest::Client, url: &str, body: Answer) -> Result<Answer, Failed> {
    let answer = http.post(url).header("content-type", "application/json").body(body.to_string()).send().await?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}
