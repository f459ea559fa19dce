//! What is left over for the event loop's next turn, for operators.

use super::*;

/// What a fabric has not got round to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Queues of messages and control requests with work left over.
    pub messages: usize,
    /// Ports with bulk frames left over.
    pub bulk: usize,
    /// Ports that wait since they are over their rate.
    pub throttled: usize,
}

impl Fabric {
    /// How much work is left over at this moment.
    pub fn backlog(&self) -> Backlog {
        Backlog {
            messages: self.backlog.len(),
            bulk: self.bulk_backlog.len(),
            throttled: self.throttled.len(),
        }
    }
}
