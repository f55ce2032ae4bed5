//! A value that is bound to a composed statement, together with its type: such a statement is sent in
//! one round trip, without asking the server for the types first.

use tokio_postgres::types::{ToSql, Type};

use crate::convert::Uuid;

/// A value and its type.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Int(i64),
    Text(String),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Id(Uuid),
    Ids(Vec<Uuid>),
}

impl Value {
    /// As the driver takes it.
    pub(super) fn bound(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Int(value) => (value, Type::INT8),
            Self::Text(value) => (value, Type::TEXT),
            Self::Texts(value) => (value, Type::TEXT_ARRAY),
            Self::Ints(value) => (value, Type::INT8_ARRAY),
            Self::Id(value) => (value, Type::UUID),
            Self::Ids(value) => (value, Type::UUID_ARRAY),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
