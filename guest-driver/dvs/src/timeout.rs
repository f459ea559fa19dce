//! How long a call may take.

use std::time::Duration;

use crate::abi;

/// How long a call may take, all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// As long as it takes.
    Forever,
    /// [`Error::Again`](crate::Error::Again) if it cannot be done at once.
    NoWait,
    /// [`Error::TimedOut`](crate::Error::TimedOut) after this time, rounded up to milliseconds.
    After(Duration),
}

impl Timeout {
    pub(crate) fn millis(self) -> i64 {
        match self {
            Self::Forever => abi::TIMEOUT_FOREVER,
            Self::NoWait => abi::TIMEOUT_NOWAIT,
            Self::After(time) => {
                let millis = time.as_nanos().div_ceil(1_000_000).max(1);
                i64::try_from(millis).unwrap_or(i64::MAX)
            }
        }
    }
}

impl From<Duration> for Timeout {
    fn from(time: Duration) -> Self {
        Self::After(time)
    }
}

#[cfg(test)]
#[path = "timeout_test.rs"]
mod tests;
