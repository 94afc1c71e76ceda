//! How a field lies on its backend (the seed's storage strategies), as types and as values.

use std::fmt;

use serde::{Deserialize, Serialize};

// Two names a type, as for operations: messages show the second.
macro_rules! placements {
    ($($(#[$doc:meta])* $name:ident $shown:ident;)*) => {
        $(
            $(#[$doc])* #[derive(Debug)] pub struct $shown;
            #[doc(no_inline)] pub use $shown as $name;
        )*

        /// How a field lies on its backend.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Placement { $($(#[$doc])* $name,)* }

        impl Placement {
            /// Every placement.
            pub const ALL: &'static [Placement] = &[$(Placement::$name),*];

            /// The name used in attributes.
            pub const fn name(self) -> &'static str {
                match self { $(Placement::$name => stringify!($name),)* }
            }
        }

        $(impl Placed for $name {
            const PLACEMENT: Placement = Placement::$name;
        }
        impl From<$name> for Placement {
            fn from(_: $name) -> Self {
                Placement::$name
            }
        })*
    };
}

/// A placement as a type.
pub trait Placed {
    /// The same as a value.
    const PLACEMENT: Placement;
}

placements! {
    /// A column or property of its own.
    InlineColumn AsInlineColumn;
    /// A JSON document column.
    JsonField AsJsonField;
    /// A child table with one row an item of a list.
    SideTable AsSideTable;
    /// A vector column that `near` searches.
    VectorIndex AsVectorIndex;
    /// Text with an index of its words, for `matches`.
    InvertedIndex AsInvertedIndex;
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
