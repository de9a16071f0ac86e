//! Values that go into statements and come out of rows, in the few types both engines share.
//!
//! Deliberately lacks the engines: [`super::sqlite`] translates. Money is fen in BIGINT, booleans
//! are 0/1, dates `YYYY-MM-DD` text, instants UTC milliseconds, ids 16 bytes, documents JSON text.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;
use vocab::Fen;

use super::StoreError;

/// A value given to a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT, without NUL.
    Text(String),
    /// BYTEA / BLOB.
    Blob(Vec<u8>),
}

/// A value seen in a row, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// No value.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(&'a str),
    /// BYTEA / BLOB.
    Blob(&'a [u8]),
}

impl Value {
    /// As a row would show it.
    pub(super) fn seen(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Int(it) => ValueRef::Int(*it),
            Self::Real(it) => ValueRef::Real(*it),
            Self::Text(it) => ValueRef::Text(it),
            Self::Blob(it) => ValueRef::Blob(it),
        }
    }
}

impl From<ValueRef<'_>> for Value {
    fn from(seen: ValueRef<'_>) -> Self {
        match seen {
            ValueRef::Null => Self::Null,
            ValueRef::Int(it) => Self::Int(it),
            ValueRef::Real(it) => Self::Real(it),
            ValueRef::Text(it) => Self::Text(it.to_owned()),
            ValueRef::Blob(it) => Self::Blob(it.to_owned()),
        }
    }
}

impl ValueRef<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "an integer",
            Self::Real(_) => "a floating-point number",
            Self::Text(_) => "text",
            Self::Blob(_) => "bytes",
        }
    }
}

/// A type that can be read from a column.
pub trait FromValue: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`StoreError::Value`] where the column holds something else.
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError>;
}

/// A JSON document as it is stored, not read yet: most commands move a row without looking into
/// its documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(String);

impl Document {
    /// Reads it.
    ///
    /// # Errors
    /// [`StoreError::Value`] where it is no JSON.
    pub fn read(&self) -> Result<serde_json::Value, StoreError> {
        FromValue::from_value(ValueRef::Text(&self.0))
    }
}

impl FromValue for Document {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        String::from_value(value).map(Self)
    }
}

/// Lists the parameters of a statement: `params![id, amount, "text"]`.
#[macro_export]
macro_rules! params {
    () => {
        <[$crate::store::Value; 0]>::default()
    };
    ($($value:expr),+ $(,)?) => {
        [$($crate::store::Value::from($value)),+]
    };
}

/// The error for a column that holds something else than the wanted type.
///
/// Domain types use it in their own [`FromValue`].
#[must_use]
pub fn mismatch(wanted: &str, found: ValueRef<'_>) -> StoreError {
    StoreError::Value(format!("wanted {wanted}, found {}", found.kind()))
}

macro_rules! into_value {
    ($($type:ty => |$it:ident| $value:expr;)+) => {
        $(impl From<$type> for Value {
            fn from($it: $type) -> Self {
                $value
            }
        })+
    };
}

into_value! {
    i64 => |it| Value::Int(it);
    i32 => |it| Value::Int(i64::from(it));
    i16 => |it| Value::Int(i64::from(it));
    u32 => |it| Value::Int(i64::from(it));
    u16 => |it| Value::Int(i64::from(it));
    u8 => |it| Value::Int(i64::from(it));
    f64 => |it| Value::Real(it);
    bool => |it| Value::Int(i64::from(it));
    String => |it| Value::Text(it);
    &str => |it| Value::Text(it.to_owned());
    &String => |it| Value::Text(it.clone());
    Vec<u8> => |it| Value::Blob(it);
    &[u8] => |it| Value::Blob(it.to_vec());
    &Vec<u8> => |it| Value::Blob(it.clone());
    Uuid => |it| Value::Blob(it.as_bytes().to_vec());
    &Uuid => |it| Value::Blob(it.as_bytes().to_vec());
    Date => |it| Value::Text(it.to_string());
    Timestamp => |it| Value::Int(it.as_millisecond());
    &Date => |it| Value::Text(it.to_string());
    &Timestamp => |it| Value::Int(it.as_millisecond());
    Fen => |it| Value::Int(it.0);
    serde_json::Value => |it| Value::Text(it.to_string());
    &serde_json::Value => |it| Value::Text(it.to_string());
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Value::Blob(bytes.to_vec())
    }
}

impl<T> From<Option<T>> for Value
where
    Value: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Value::from)
    }
}

impl<T: Clone> From<&Option<T>> for Value
where
    Value: From<T>,
{
    fn from(value: &Option<T>) -> Self {
        value.clone().map_or(Value::Null, Value::from)
    }
}

impl FromValue for i64 {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Int(it) => Ok(it),
            other => Err(mismatch("an integer", other)),
        }
    }
}

macro_rules! narrow {
    ($($type:ty),+) => {
        $(impl FromValue for $type {
            fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
                let wide = i64::from_value(value)?;
                <$type>::try_from(wide).map_err(|_| {
                    StoreError::Value(format!("{wide} does not fit {}", stringify!($type)))
                })
            }
        })+
    };
}

narrow!(i32, i16, u64, u32, u16, u8, usize);

impl FromValue for f64 {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Real(it) => Ok(it),
            other => Err(mismatch("a floating-point number", other)),
        }
    }
}

impl FromValue for bool {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Int(0) => Ok(false),
            ValueRef::Int(1) => Ok(true),
            other => Err(mismatch("0 or 1", other)),
        }
    }
}

impl FromValue for String {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Text(it) => Ok(it.to_owned()),
            other => Err(mismatch("text", other)),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Blob(it) => Ok(it.to_vec()),
            other => Err(mismatch("bytes", other)),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Blob(it) => it
                .try_into()
                .map_err(|_| StoreError::Value(format!("wanted {N} bytes, found {}", it.len()))),
            other => Err(mismatch("bytes", other)),
        }
    }
}

impl FromValue for Uuid {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        <[u8; 16]>::from_value(value).map(Uuid::from_bytes)
    }
}

impl FromValue for Date {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Text(it) => it
                .parse()
                .map_err(|_| StoreError::Value("wanted a date YYYY-MM-DD".into())),
            other => Err(mismatch("a date", other)),
        }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        let milliseconds = i64::from_value(value)?;
        Timestamp::from_millisecond(milliseconds)
            .map_err(|_| StoreError::Value(format!("{milliseconds} ms is outside the calendar")))
    }
}

impl FromValue for Fen {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        i64::from_value(value).map(Fen)
    }
}

impl FromValue for serde_json::Value {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Text(it) => serde_json::from_str(it)
                .map_err(|error| StoreError::Value(format!("not JSON: {error}"))),
            other => Err(mismatch("JSON text", other)),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: ValueRef<'_>) -> Result<Self, StoreError> {
        match value {
            ValueRef::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    /// A value goes in as `stored` and comes out as it was; a lack of value is no value.
    fn check<T>(value: T, stored: Value)
    where
        T: FromValue + Clone + PartialEq + Debug,
        Value: From<T>,
    {
        let given = Value::from(value.clone());
        assert_eq!(given, stored);
        assert_eq!(T::from_value(given.seen()).unwrap(), value);
        assert_eq!(Option::<T>::from_value(given.seen()).unwrap(), Some(value));
        assert_eq!(Option::<T>::from_value(ValueRef::Null).unwrap(), None);
        assert!(T::from_value(ValueRef::Null).is_err());
        assert_eq!(<Value as From<Option<T>>>::from(None), Value::Null);
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        check(-7_i64, Value::Int(-7));
        check(255_u8, Value::Int(255));
        check(1.5, Value::Real(1.5));
        check(true, Value::Int(1));
        check("落地".to_owned(), Value::Text("落地".into()));
        check(vec![0_u8, 255], Value::Blob(vec![0, 255]));
        check([1_u8, 2, 3], Value::Blob(vec![1, 2, 3]));
        check(
            Uuid::from_u128(9),
            Value::Blob([[0; 15].as_slice(), &[9]].concat()),
        );
        check(Date::constant(2026, 3, 2), Value::Text("2026-03-02".into()));
        check(Timestamp::constant(1, 5_000_000), Value::Int(1_005));
        check(Fen(-350), Value::Int(-350));
        check(
            serde_json::json!({"a": [1]}),
            Value::Text(r#"{"a":[1]}"#.into()),
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(u8::from_value(ValueRef::Int(256)).is_err());
        assert!(u32::from_value(ValueRef::Int(-1)).is_err());
        assert!(bool::from_value(ValueRef::Int(2)).is_err());
        assert!(i64::from_value(ValueRef::Real(1.0)).is_err());
        assert!(Uuid::from_value(ValueRef::Blob(&[0; 15])).is_err());
        assert!(Date::from_value(ValueRef::Text("2026-02-30")).is_err());
        assert!(Timestamp::from_value(ValueRef::Int(i64::MAX)).is_err());
        assert!(serde_json::Value::from_value(ValueRef::Text("{")).is_err());
    }
}
