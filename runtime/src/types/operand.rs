use super::{Bytes, Date, Decimal, Duration, Id, Json, Logical, Ref, Timestamp, Uuid, Value, Vector};

/// Something that a field whose type comes down to `Base` can be compared with. `None` stands for null.
#[diagnostic::on_unimplemented(
    message = "a `{Base}` field cannot be compared with `{Self}`, or set to it",
    label = "expected something that is a `{Base}`"
)]
pub trait Operand<Base> {
    /// The value to compare with.
    fn into_operand(self) -> Value;
}

macro_rules! operands {
    ($($base:ty: $($from:ty => |$v:ident| $value:expr),+;)*) => {$(
        $(#[diagnostic::do_not_recommend]
        impl Operand<$base> for $from {
            fn into_operand(self) -> Value {
                let $v = self;
                $value
            }
        })+
        #[diagnostic::do_not_recommend]
        impl Operand<$base> for Option<$base> {
            fn into_operand(self) -> Value {
                self.map_or(Value::Null, Operand::<$base>::into_operand)
            }
        }
    )*};
}

operands! {
    bool: bool => |v| Value::Bool(v);
    i64: i64 => |v| Value::Int(v), i32 => |v| Value::Int(v.into()), i16 => |v| Value::Int(v.into()), i8 => |v| Value::Int(v.into()),
        u32 => |v| Value::Int(v.into()), u16 => |v| Value::Int(v.into()), u8 => |v| Value::Int(v.into());
    f64: f64 => |v| Value::Float(v), f32 => |v| Value::Float(v.into()), i32 => |v| Value::Float(v.into());
    Decimal: Decimal => |v| Value::Decimal(v), i32 => |v| Value::Decimal(v.into()), i64 => |v| Value::Decimal(v.into());
    String: String => |v| Value::Text(v), &str => |v| Value::Text(v.to_owned()), &String => |v| Value::Text(v.clone());
    Bytes: Bytes => |v| v.to_value(), &Bytes => |v| v.to_value(), &[u8] => |v| Value::Bytes(v.into());
    Timestamp: Timestamp => |v| Value::Timestamp(v);
    Date: Date => |v| Value::Date(v);
    Duration: Duration => |v| Value::Duration(v);
    Uuid: Uuid => |v| Value::Uuid(v);
    Json: Json => |v| Value::Json(Box::new(v)), &Json => |v| Value::Json(Box::new(v.clone())), &str => |v| Value::Json(Box::new(v.into())),
        i64 => |v| Value::Json(Box::new(v.into())), i32 => |v| Value::Json(Box::new(v.into())), f64 => |v| Value::Json(Box::new(v.into())),
        bool => |v| Value::Json(Box::new(v.into()));
    Id: Id => |v| Value::Text(v.into_string()), &Id => |v| Value::Text(v.as_str().to_owned()), &str => |v| Value::Text(v.to_owned()),
        String => |v| Value::Text(v);
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Operand<Vector<N>> for &Vector<N> {
    fn into_operand(self) -> Value {
        self.to_value()
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Operand<Vector<N>> for Option<Vector<N>> {
    fn into_operand(self) -> Value {
        self.to_value()
    }
}

#[diagnostic::do_not_recommend]
impl<E> Operand<Ref<E>> for Ref<E> {
    fn into_operand(self) -> Value {
        Value::Text(self.into_id().into_string())
    }
}

#[diagnostic::do_not_recommend]
impl<E> Operand<Ref<E>> for &Ref<E> {
    fn into_operand(self) -> Value {
        Value::Text(self.id().as_str().to_owned())
    }
}

#[diagnostic::do_not_recommend]
impl<E> Operand<Ref<E>> for &Id {
    fn into_operand(self) -> Value {
        Value::Text(self.as_str().to_owned())
    }
}

#[diagnostic::do_not_recommend]
impl<E> Operand<Ref<E>> for &str {
    fn into_operand(self) -> Value {
        Value::Text(self.to_owned())
    }
}

#[diagnostic::do_not_recommend]
impl<E> Operand<Ref<E>> for Option<Ref<E>> {
    fn into_operand(self) -> Value {
        self.map_or(Value::Null, Operand::<Ref<E>>::into_operand)
    }
}

/// A whole list: what `eq` on a list field takes.
#[diagnostic::do_not_recommend]
impl<B, T: Operand<B>> Operand<Vec<B>> for Vec<T> {
    fn into_operand(self) -> Value {
        Value::List(self.into_iter().map(Operand::into_operand).collect())
    }
}

#[diagnostic::do_not_recommend]
impl<B, T: Operand<B>, const N: usize> Operand<Vec<B>> for [T; N] {
    fn into_operand(self) -> Value {
        Value::List(self.into_iter().map(Operand::into_operand).collect())
    }
}

#[diagnostic::do_not_recommend]
impl<B, T: Operand<B>> Operand<Vec<B>> for Option<Vec<T>> {
    fn into_operand(self) -> Value {
        self.map_or(Value::Null, Operand::<Vec<B>>::into_operand)
    }
}
