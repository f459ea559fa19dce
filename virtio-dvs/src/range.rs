//! Numbers that somebody gives, and the ranges that they must be in.

use thiserror::Error;

/// A number is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name} is {value}; it must be from {min} to {max}")]
pub struct OutOfRange {
    /// Name of the field.
    pub name: &'static str,
    /// What was given.
    pub value: u64,
    /// Least value.
    pub min: u64,
    /// Largest value.
    pub max: u64,
}

/// Whether the field `name` may have this value.
pub fn in_range(name: &'static str, value: u64, min: u64, max: u64) -> Result<(), OutOfRange> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(OutOfRange {
        name,
        value,
        min,
        max,
    })
}
