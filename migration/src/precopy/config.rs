//! How a machine is to be copied.

use super::Throttling;
use std::time::Duration;

/// What to do when the time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtTimeout {
    /// Give up; the VM stays where it is.
    Cancel,
    /// Stop the guest for as long as it takes.
    Force,
}

/// How a machine is to be copied.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Time for which the guest may stand still.
    pub downtime: Duration,
    /// What of that goes to other things than pages: stopping, state, commit.
    pub fixed_cost: Duration,
    /// Time for all rounds together.
    pub timeout: Duration,
    /// What happens after it.
    pub at_timeout: AtTimeout,
    /// Bytes per second, at least [`SLOWEST`](super::SLOWEST); `None`: as fast as it goes. The last round, when the guest stands
    /// still, is not held back.
    pub bandwidth: Option<u64>,
    /// Whether a guest that writes too fast is slowed down, and how.
    pub throttling: Option<Throttling>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            downtime: Duration::from_millis(300),
            fixed_cost: Duration::from_millis(20),
            timeout: Duration::from_secs(3600),
            at_timeout: AtTimeout::Cancel,
            bandwidth: None,
            throttling: Some(Throttling::default()),
        }
    }
}
