//! The one capability table: `backend x class x placement -> operations that run natively`.
//!
//! An operation that means something on the class ([`class::MEANINGS`](super::class::MEANINGS)) and is not listed is
//! `scan`; every other is `never`. Memory and files scan by nature: for them it is native. A backend whose own engine
//! would give another meaning than `docs/semantics.md` does not list the operation.
//!
//! Rows that several backends share are a group: a macro that hands them on, named after `with`. A backend's own rows
//! stand in its braces, after the group's.

#[cfg(test)]
use super::macros::capability_compiled;
use super::macros::{
    capability_classes, capability_data_of, capability_impls, capability_impls_of, capability_is_written, capability_kind,
    capability_metric, capability_ops, capability_row, capability_rows, capability_table, capability_writes,
};
use super::{Operation, Placement};
use crate::types::Metric;

/// The table's rows of one backend.
#[derive(Clone, Copy, Debug)]
pub struct BackendRows {
    /// The backend's kind, which is also its feature: `sqlite`.
    pub backend: &'static str,
    /// Whether rows are written there, or tables that exist only read.
    pub writes: bool,
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

// What whatever keeps its rows in memory does: memory itself, and files.
macro_rules! rows_in_memory {
    ($then:ident $context:tt { $($more:tt)* }) => {
        $then! { $context
            [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
            [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
            [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
            [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
            [Bytes] in InlineColumn: [Eq, IsNull];
            [Json] in JsonField: [Eq, IsNull, Path];
            [List] in InlineColumn: [Eq, IsNull, Has, Length];
            [Vector] in InlineColumn: [IsNull];
            $($more)*
        }
    };
}

// What PostgreSQL does, with extensions or without.
macro_rules! rows_of_postgres {
    ($then:ident $context:tt { $($more:tt)* }) => {
        $then! { $context
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
            $($more)*
        }
    };
}

// What vector stores do that filter by metadata alone: they compare numbers, order and aggregate nothing.
macro_rules! rows_of_metadata {
    ($then:ident $context:tt { $($more:tt)* }) => {
        $then! { $context
            [Id, Ref, Uuid] in InlineColumn: [Eq, IsNull];
            [Int, Float, Decimal, Time] in InlineColumn: [Eq, IsNull, Compare];
            [Text, Bool, Category, Bytes] in InlineColumn: [Eq, IsNull];
            [Json] in JsonField: [IsNull];
            [List] in InlineColumn: [IsNull, Has, Length];
            [Vector] in VectorIndex: [IsNull, Near];
            [Vector] in InlineColumn: [IsNull];
            $($more)*
        }
    };
}

// What engines do whose columns and values are those of Arrow: all of it in the engine or in functions of ours inside it.
macro_rules! rows_of_arrow {
    ($then:ident $context:tt { $($more:tt)* }) => {
        $then! { $context
            [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
            [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
            [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
            [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Sort, GroupBy, MinMax];
            [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
            [Bytes] in InlineColumn: [Eq, IsNull];
            [Json] in JsonField: [Eq, IsNull, Path];
            [List] in InlineColumn: [Eq, IsNull, Has, Length];
            [Vector] in VectorIndex: [IsNull, Near];
            [Vector] in InlineColumn: [IsNull];
            $($more)*
        }
    };
}

// What the MySQL family does. Regular expressions are not native: MariaDB gives up on some texts in silence.
macro_rules! rows_of_mysql {
    ($then:ident $context:tt { $($more:tt)* }) => {
        $then! { $context
            [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
            [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
            [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
            [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Sort, GroupBy, MinMax];
            [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Matches, Sort, GroupBy, MinMax];
            [Bytes] in InlineColumn: [Eq, IsNull];
            [Json] in JsonField: [Eq, IsNull, Path];
            [List] in InlineColumn: [Eq, IsNull, Has, Length];
            [List] in SideTable: [Eq, IsNull, Has, Length];
            $($more)*
        }
    };
}

capability_table! {
    InMem = "inmem" [cfg(all())] with rows_in_memory {
        metrics: [Cosine, L2, Dot];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Vector] in VectorIndex: [IsNull, Near];
    }
    JsonFile = "json" [cfg(feature = "json")] with rows_in_memory {
        metrics: [Cosine, L2, Dot];
        [Vector] in VectorIndex: [IsNull, Near];
    }
    Pickle = "pickle" [cfg(feature = "pickle")] with rows_in_memory {
        metrics: [Cosine, L2, Dot];
        [Vector] in VectorIndex: [IsNull, Near];
    }
    FileStore = "file" [cfg(feature = "file")] with rows_in_memory {
        metrics: [];
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
    DuckDb = "duckdb" [cfg(feature = "duckdb")] with rows_of_arrow {
        metrics: [Cosine, L2, Dot];
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
    Chroma = "chroma" [cfg(feature = "chroma")] with rows_of_metadata {
        metrics: [Cosine, L2, Dot];
    }
    // Its integers are floats: ours are cut in two, and stay exact.
    Pinecone = "pinecone" [cfg(feature = "pinecone")] with rows_of_metadata {
        metrics: [Cosine, L2, Dot];
    }
    Lance = "lance" [cfg(feature = "lance")] with rows_of_arrow {
        metrics: [Cosine, L2, Dot];
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
    Postgres = "postgres" [cfg(feature = "postgres")] with rows_of_postgres {
        metrics: [];
    }
    PgVector = "pgvector" [cfg(feature = "pgvector")] with rows_of_postgres {
        metrics: [Cosine, L2, Dot];
        [Vector] in VectorIndex: [IsNull, Near];
    }
    MySql = "mysql" [cfg(feature = "mysql")] with rows_of_mysql {
        metrics: [];
        [Vector] in InlineColumn: [IsNull];
    }
    OceanBase = "oceanbase" [cfg(feature = "oceanbase")] with rows_of_mysql {
        metrics: [Cosine, L2, Dot];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    // Its own lower-casing is none of ours. What lies in JSON is compared after it was read; `like` with `_` too.
    Mssql = "mssql" [cfg(feature = "mssql")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, Like, Sort, GroupBy];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, Like, Matches, Sort, GroupBy];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [List] in SideTable: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    // A long text is a CLOB, which the server neither sorts nor groups; where a field's is short, the driver takes both all the same.
    Oracle = "oracle" [cfg(feature = "oracle")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, Like];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, Like, Matches];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [List] in SideTable: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    // `LIKE` and its own lower-casing are none of ours: `like` runs where it falls into a beginning, an end and one piece between.
    StarRocks = "starrocks" [cfg(feature = "starrocks")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, Like, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, Like, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    // Iceberg has no JSON type, so nothing looks into JSON there. Which regular expressions run natively is decided pattern by
    // pattern.
    TrinoIceberg = "trino" [cfg(feature = "trino")] {
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Sort, GroupBy, MinMax];
        [Text] in InvertedIndex: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [Eq, IsNull];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
    // Tables that exist, of any connector: nothing lies beside their columns.
    TrinoReadOnly = "trino_read_only" [cfg(feature = "trino")] {
        @read_only;
        metrics: [Cosine, L2, Dot];
        [Id, Ref, Time, Uuid] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
        [Int, Float, Decimal] in InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
        [Bool, Category] in InlineColumn: [Eq, IsNull, Sort, GroupBy];
        [Text] in InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Sort, GroupBy, MinMax];
        [Bytes] in InlineColumn: [Eq, IsNull];
        [Json] in JsonField: [IsNull];
        [List] in InlineColumn: [Eq, IsNull, Has, Length];
        [Vector] in VectorIndex: [IsNull, Near];
        [Vector] in InlineColumn: [IsNull];
    }
}
