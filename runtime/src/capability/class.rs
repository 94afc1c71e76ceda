//! The classes of types that the capability table speaks of, and which operations mean something on each.

use super::{op, placement};

/// A class of logical types.
pub trait Class {
    /// The placement of a field that does not choose one.
    type Placement;
    /// The class's name.
    const NAME: &'static str;
}

/// An operation that means something on a class: what `.scan()` can run anywhere.
#[diagnostic::on_unimplemented(message = "`{Op}` means nothing on a `{Self}`", label = "not an operation of this type, scanned or not")]
pub trait Has<Op> {}

/// The same question at run time: which operations mean something on which class.
pub const MEANINGS: &[(&str, &[super::Operation])] = MEANING_ROWS;

// Two names a type, as for operations: messages show the second.
macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident $shown:ident as $placement:ident: [$($op:ident),*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $shown;
            #[doc(no_inline)]
            pub use $shown as $name;
            impl Class for $name {
                type Placement = placement::$placement;
                const NAME: &'static str = stringify!($name);
            }
            $(#[diagnostic::do_not_recommend] impl Has<op::$op> for $name {})*
        )*
        const MEANING_ROWS: &[(&str, &[super::Operation])] = &[
            $((stringify!($name), &[$(super::Operation::$op),*]),)*
        ];
        /// The names of all classes.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

classes! {
    /// Identity of a row.
    Id IdField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
    /// The id of another entity's row.
    Ref RefField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
    /// Truth values.
    Bool BoolField as InlineColumn: [Eq, IsNull, Sort, GroupBy];
    /// Signed integers.
    Int IntField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
    /// 64-bit floats.
    Float FloatField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
    /// Exact decimals.
    Decimal DecimalField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax, Sum];
    /// Unicode text.
    Text TextField as InlineColumn: [Eq, IsNull, Compare, Contains, IContains, Like, ILike, Regex, Matches, Sort, GroupBy, MinMax];
    /// Timestamps, dates and durations.
    Time TimeField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
    /// UUIDs.
    Uuid UuidField as InlineColumn: [Eq, IsNull, Compare, Sort, GroupBy, MinMax];
    /// Enums stored by name.
    Category CategoryField as InlineColumn: [Eq, IsNull, Sort, GroupBy];
    /// Binary data.
    Bytes BytesField as InlineColumn: [Eq, IsNull];
    /// JSON values.
    Json JsonValueField as JsonField: [Eq, IsNull, Path];
    /// Lists.
    List ListField as InlineColumn: [Eq, IsNull, Has, Length];
    /// Vectors.
    Vector VectorField as VectorIndex: [IsNull, Near];
}
