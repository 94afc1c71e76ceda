//! The one capability table: `backend x class x placement -> operations that run natively`.
//!
//! An operation that means something on the class ([`class::MEANINGS`](super::class::MEANINGS)) and is not listed is
//! `scan`; every other is `never`. Memory and files scan by nature: for them it is native. A backend whose own engine
//! would give another meaning than `docs/semantics.md` does not list the operation.

use super::macros::{
    capability_impls, capability_kind, capability_metric, capability_ops, capability_row, capability_rows, capability_table,
};
use super::{Operation, Placement};
use crate::types::Metric;

/// The table's rows of one backend.
#[derive(Clone, Copy, Debug)]
pub struct BackendRows {
    /// The backend's kind, which is also its feature: `sqlite`.
    pub backend: &'static str,
    /// The metrics that `near` ranks by.
    pub metrics: &'static [Metric],
    /// What it stores, and what it runs natively there.
    pub rows: &'static [Row],
}

/// Classes that one placement treats alike.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Class names.
    pub classes: &'static [&'static str],
    /// How the field lies.
    pub placement: Placement,
    /// What runs natively.
    pub native: &'static [Operation],
}

capability_table! {
    InMem = "inmem" [cfg(all())] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    JsonFile = "json" [cfg(feature = "json")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    Pickle = "pickle" [cfg(feature = "pickle")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    FileStore = "file" [cfg(feature = "file")] {
        metrics: [];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in InlineColumn: [IsNull];
    }
    Sqlite = "sqlite" [cfg(feature = "sqlite")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [List] in SideTable: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    Elasticsearch = "elasticsearch" [cfg(feature = "elasticsearch")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        // Sums of integers go through doubles there, and are not exact.
        [Int, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Float] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    // Milvus orders and aggregates nothing; what it filters by text, it compares by bytes.
    Milvus = "milvus" [cfg(feature = "milvus")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare];
        [Text] in InlineColumn: [Eq, IsNull, Compare];
        [Bool, Category, Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [IsNull];
        [List] in InlineColumn: [IsNull];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    Postgres = "postgres" [cfg(feature = "postgres")] {
        metrics: [];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        // Which regular expressions run natively is decided pattern by pattern.
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in InlineColumn: [IsNull];
    }
    PgVector = "pgvector" [cfg(feature = "pgvector")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        // Which regular expressions run natively is decided pattern by pattern.
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    MySql = "mysql" [cfg(feature = "mysql")] {
        metrics: [];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        // Regular expressions are not native: MariaDB gives up on some texts in silence.
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [List] in SideTable: [Eq, IsNull, Has, Length];
        [Vector] in InlineColumn: [IsNull];
    }
    OceanBase = "oceanbase" [cfg(feature = "oceanbase")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull, Path];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [List] in SideTable: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
}
