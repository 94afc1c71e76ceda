//! The mistakes.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// One mistake that real drivers make.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[$doc])* $name,)* }

        impl Bug {
            /// Every bug.
            pub const ALL: &'static [Bug] = &[$(Bug::$name),*];
        }
    };
}

bugs! {
    /// `ne` as SQL has it: null rows do not match.
    NeSkipsNull;
    /// `!` as SQL has it: null rows match neither side.
    NotSkipsNull;
    /// `not_in` skips null rows.
    NotInSkipsNull;
    /// A null among the members of `in` is ignored.
    InIgnoresNull;
    /// `le` and `ge` forget the end.
    OpenEnds;
    /// `icontains` that only knows the case it is given.
    IContainsExact;
    /// `like` that does not know the escape.
    LikeWithoutEscape;
    /// `starts_with` as `contains`.
    PrefixAnywhere;
    /// `phrase` as `matches`.
    PhraseAsMatches;
    /// `has_all([])` matches nothing.
    HasAllOfNothing;
    /// `has_any` as `has_all`.
    HasAnyAsAll;
    /// Nulls first.
    NullsFirst;
    /// Ties of an order by id descending.
    TiesReversed;
    /// `descending` ignored.
    AlwaysAscending;
    /// The position itself comes again on the next page.
    AfterIncluded;
    /// The keyset position knows only the id.
    AfterByIdOnly;
    /// Offset after limit.
    OffsetAfterLimit;
    /// A limit of 0 taken for none.
    ZeroIsNoLimit;
    /// Answers cut at 100 rows.
    CutAtHundred;
    /// The set of ids ignored.
    IdsIgnored;
    /// Columns always in the part's order.
    ColumnsInPartOrder;
    /// The `k` nearest first, filtered afterwards.
    NearThenFilter;
    /// The distance instead of its negative.
    ScoreNegated;
    /// The search's ties by id descending.
    NearTiesReversed;
    /// An estimate one below the truth.
    EstimatesTooLittle;
    /// Every version wins.
    NoGuard;
    /// An equal version wins.
    EqualVersionWins;
    /// `expected` ignored.
    ExpectedIgnored;
    /// A patch makes the row it does not find.
    PatchCreates;
    /// A patch clears the columns it does not name.
    PatchClears;
    /// An upsert keeps old values where the new are null.
    UpsertMerges;
    /// An insert replaces.
    InsertReplaces;
    /// A batch that fails leaves the rows before the failure.
    HalfBatch;
    /// A delete does not say what it missed.
    DeleteSilent;
    /// A patch leaves the version.
    PatchKeepsVersion;
    /// Unique ignored.
    UniqueIgnored;
    /// Two nulls violate unique.
    UniqueNulls;
    /// Fetch in id order.
    FetchSorted;
    /// Fetch gives null rows for absent ids.
    FetchInvents;
    /// Empty text becomes null.
    EmptyIsNull;
    /// Text trimmed.
    Trimmed;
    /// Text cut at 255 characters.
    CutText;
    /// Integers through a float.
    IntAsFloat;
    /// Floats through 32 bits.
    ShortFloat;
    /// `-0.0` loses its sign.
    PositiveZero;
    /// Timestamps in milliseconds.
    Millis;
    /// Lists as sets.
    ListDeduplicated;
    /// An empty list becomes null.
    EmptyListIsNull;
    /// JSON null becomes null.
    JsonNullIsNull;
    /// Whole floats in JSON become integers.
    JsonFloatsToInts;
    /// Ids in lower case.
    IdsFolded;
    /// Namespaces ignored.
    OneNamespace;
    /// Drop drops everything.
    DropsAll;
    /// A second ensure empties the part.
    EnsureTruncates;
    /// Any schema is welcome.
    NoMismatch;
    /// Default of a new column not filled in.
    NoDefault;
    /// Count of a field counts nulls.
    CountsNulls;
    /// Integer sums wrap.
    SumWraps;
    /// The sum over nothing is 0.
    EmptySumIsZero;
    /// The null group is left out.
    NoNullGroup;
    /// The filter of an aggregation ignored.
    AggregatesAll;
    /// Takes limit although a remainder is left.
    EarlyLimit;
    /// Loses what it does not take.
    DropsRemainder;
}
