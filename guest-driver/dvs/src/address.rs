//! Who is meant.

use std::fmt;

use crate::abi;

/// An endpoint, of this VM or another one of its distributed container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Its number.
    pub number: i32,
    /// Which of those bound to the number over time; 0: whichever is now.
    pub generation: u32,
}

impl From<i32> for Address {
    /// Whichever endpoint is bound to the number now.
    fn from(number: i32) -> Self {
        Self {
            number,
            generation: 0,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        match self.generation {
            0 => Ok(()),
            generation => write!(f, " (generation {generation})"),
        }
    }
}

/// Any endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Any;

/// One endpoint, or [`Any`]: from whom to receive, to whom memory is lent.
#[derive(Clone, Copy, Debug)]
pub struct OneOrAny(pub(crate) Address);

impl From<Any> for OneOrAny {
    fn from(_: Any) -> Self {
        Self(abi::ADDR_ANY.into())
    }
}

impl<T: Into<Address>> From<T> for OneOrAny {
    fn from(address: T) -> Self {
        Self(address.into())
    }
}
