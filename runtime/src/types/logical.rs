use super::{Bytes, Date, Decimal, Duration, Id, Json, LogicalType, Ref, Timestamp, Uuid, Value, Vector};
use crate::capability::class;

/// What a stored value was, when it could not be read as the field's Rust type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The Rust-side expectation.
    pub expected: &'static str,
    /// The family of the value found.
    pub found: &'static str,
}

/// What a field of a Rust type is: [`Logical::TYPE`] and [`Logical::NULLABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    /// The logical type, with its default parameters.
    pub logical: LogicalType,
    /// Whether a null is a value of the type.
    pub nullable: bool,
}

/// A Rust type that a field can have.
///
/// Implemented for the types of `semantics`, for `Option` of them, for enums by `#[derive(Category)]` and for newtypes
/// by `#[derive(Logical)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that a field can have",
    label = "not a storable type",
    note = "storable: bool, i8..i64, u8..u32, f32, f64, Decimal, String, Bytes, Timestamp, Date, Duration, Uuid, Json, Vector<N>, Id, Ref<E>, Vec<T> and Option<T> of them",
    note = "for an enum of your own derive `Category`, for a newtype derive `Logical`"
)]
pub trait Logical: Sized {
    /// The class that the capability table speaks of.
    type Class;
    /// The type without `Option` and newtypes, which decides what it can be compared with.
    type Base;
    /// What `near` takes on a field of this type: an array of the vector's size. A type that is no vector takes any
    /// numbers, so that a mistake is reported once, as an operation that it does not have.
    type Probe: ?Sized + AsRef<[f32]>;
    /// What the items of a list of this type are compared with; where it is no list, `Base` for the same reason.
    type Item;
    /// The logical type, with its default parameters.
    const TYPE: LogicalType;
    /// Whether a null is a value of this type.
    const NULLABLE: bool = false;
    /// The two together. The derive asks this once a field: each question costs its users time to compile.
    #[doc(hidden)]
    const FIELD: FieldType = FieldType { logical: Self::TYPE, nullable: Self::NULLABLE };

    /// The value as drivers see it.
    fn to_value(&self) -> Value;

    /// Reads a value back.
    ///
    /// # Errors
    /// [`Mismatch`] when the value is of another family or out of this type's range.
    fn from_value(value: Value) -> Result<Self, Mismatch>;
}

/// A type that the items of a list can have: one value, never null, no list or vector.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the item of a list",
    label = "lists hold plain values: text, numbers, times, UUIDs, references, categories"
)]
pub trait ListItem: Logical {}

macro_rules! logical {
    ($($rust:ty, $class:ident, $type:expr, $pattern:pat => $read:expr, |$self:ident| $write:expr;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Logical for $rust {
            type Class = class::$class;
            type Base = $rust;
            type Probe = [f32];
            type Item = $rust;
            const TYPE: LogicalType = $type;
            fn to_value(&self) -> Value {
                let $self = self;
                $write
            }
            fn from_value(value: Value) -> Result<Self, Mismatch> {
                match value {
                    $pattern => Ok($read),
                    other => Err(Mismatch { expected: stringify!($rust), found: other.family() }),
                }
            }
        }
    )*};
}

logical! {
    bool, Bool, LogicalType::Bool, Value::Bool(b) => b, |v| Value::Bool(*v);
    i64, Int, LogicalType::INT, Value::Int(n) => n, |v| Value::Int(*v);
    f64, Float, LogicalType::Float, Value::Float(n) => n, |v| Value::Float(*v);
    Decimal, Decimal, LogicalType::DECIMAL, Value::Decimal(n) => n, |v| Value::Decimal(*v);
    String, Text, LogicalType::TEXT, Value::Text(text) => text, |v| Value::Text(v.clone());
    Bytes, Bytes, LogicalType::Bytes, Value::Bytes(bytes) => Bytes(bytes.into_vec()), |v| Value::Bytes(v.0.as_slice().into());
    Timestamp, Time, LogicalType::Timestamp, Value::Timestamp(t) => t, |v| Value::Timestamp(*v);
    Date, Time, LogicalType::Date, Value::Date(d) => d, |v| Value::Date(*v);
    Duration, Time, LogicalType::Duration, Value::Duration(d) => d, |v| Value::Duration(*v);
    Uuid, Uuid, LogicalType::Uuid, Value::Uuid(u) => u, |v| Value::Uuid(*v);
    Json, Json, LogicalType::Json, Value::Json(json) => *json, |v| Value::Json(Box::new(v.clone()));
    Id, Id, LogicalType::Id, Value::Text(text) => Id::from(text), |v| Value::Text(v.as_str().to_owned());
}

macro_rules! narrow_integers {
    ($($rust:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl Logical for $rust {
            type Class = class::Int;
            type Base = i64;
            type Probe = [f32];
            type Item = i64;
            const TYPE: LogicalType = LogicalType::Int { min: <$rust>::MIN as i64, max: <$rust>::MAX as i64 };
            fn to_value(&self) -> Value {
                Value::Int(i64::from(*self))
            }
            fn from_value(value: Value) -> Result<Self, Mismatch> {
                let mismatch = Mismatch { expected: stringify!($rust), found: value.family() };
                match value {
                    Value::Int(n) => <$rust>::try_from(n).map_err(|_| mismatch),
                    _ => Err(mismatch),
                }
            }
        }
    )*};
}

narrow_integers!(i8, i16, i32, u8, u16, u32);

#[diagnostic::do_not_recommend]
impl Logical for f32 {
    type Class = class::Float;
    type Base = f64;
    type Probe = [f32];
    type Item = f64;
    const TYPE: LogicalType = LogicalType::Float;
    fn to_value(&self) -> Value {
        Value::Float(f64::from(*self))
    }
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            // Only what an f32 holds exactly: a wider number was not written through this type.
            Value::Float(n) if f64::from(n as f32) == n => Ok(n as f32),
            other => Err(Mismatch { expected: "f32", found: other.family() }),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Logical for Vector<N> {
    type Class = class::Vector;
    type Base = Vector<N>;
    type Probe = [f32; N];
    type Item = f64;
    const TYPE: LogicalType = LogicalType::Vector(N as u32);
    fn to_value(&self) -> Value {
        Value::Vector(self.shared())
    }
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Vector(numbers) => {
                Vector::from_shared(numbers).map_err(|_| Mismatch { expected: "Vector of this length", found: "vector of another length" })
            }
            other => Err(Mismatch { expected: "Vector", found: other.family() }),
        }
    }
}

/// An entity's name, known to a `Ref` without the whole entity. Derived with `Entity`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    label = "a `Ref` names an entity",
    note = "derive it: `#[derive(Entity)]`"
)]
pub trait Named {
    /// The entity's name.
    const NAME: &'static str;
}

impl<E: Named> Logical for Ref<E> {
    type Class = class::Ref;
    type Base = Ref<E>;
    type Probe = [f32];
    type Item = Ref<E>;
    const TYPE: LogicalType = LogicalType::Ref(E::NAME);
    fn to_value(&self) -> Value {
        Value::Text(self.id().as_str().to_owned())
    }
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::Text(text) => Ok(Ref::new(text)),
            other => Err(Mismatch { expected: "Ref", found: other.family() }),
        }
    }
}

impl<T: Logical> Logical for Option<T> {
    type Class = T::Class;
    type Base = T::Base;
    type Probe = T::Probe;
    type Item = T::Item;
    const TYPE: LogicalType = T::TYPE;
    const NULLABLE: bool = true;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Logical::to_value)
    }
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: ListItem> Logical for Vec<T> {
    type Class = class::List;
    type Base = Vec<T::Base>;
    type Probe = [f32];
    type Item = T::Base;
    const TYPE: LogicalType = LogicalType::List(&T::TYPE);
    fn to_value(&self) -> Value {
        Value::List(self.iter().map(Logical::to_value).collect())
    }
    fn from_value(value: Value) -> Result<Self, Mismatch> {
        match value {
            Value::List(items) => items.into_vec().into_iter().map(T::from_value).collect(),
            other => Err(Mismatch { expected: "Vec", found: other.family() }),
        }
    }
}

macro_rules! list_items {
    ($($rust:ty),*) => {$(#[diagnostic::do_not_recommend] impl ListItem for $rust {})*};
}

list_items!(bool, i8, i16, i32, i64, u8, u16, u32, f32, f64, Decimal, String, Timestamp, Date, Duration, Uuid, Id);
#[diagnostic::do_not_recommend]
impl<E: Named> ListItem for Ref<E> {}
