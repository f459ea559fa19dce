//! Taking a VM: asking the directory until it has decided.

use crate::place::{Claim, Place, Residence, judge};
use std::time::Duration;

/// Time after which a question without an answer, or with one that settles nothing, is asked again;
/// it doubles up to [`SLOWEST`].
const FIRST: Duration = Duration::from_millis(100);
const SLOWEST: Duration = Duration::from_secs(1);

/// What the node says of the transaction: the record as it is afterwards (`None`: there is none),
/// or why it is not known whether the transaction was carried out.
pub type Answer = Result<Option<Residence>, String>;

/// One side's wish to have the VM.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Taking {
    from: Place,
    me: u32,
    again_at: Duration,
    wait: Duration,
}

impl Taking {
    /// Node `me` wants the VM from a place; the first question is asked now.
    pub fn new(from: Place, me: u32, now: Duration) -> Taking {
        Taking {
            from,
            me,
            again_at: now + FIRST,
            wait: FIRST,
        }
    }

    /// From where.
    pub fn from(&self) -> Place {
        self.from
    }

    /// When to ask again.
    pub fn again_at(&self) -> Duration {
        self.again_at
    }

    /// From where to ask again, if it is time; then it counts as asked.
    pub fn ask_again(&mut self, now: Duration) -> Option<Place> {
        if now < self.again_at {
            return None;
        }
        self.wait = (self.wait * 2).min(SLOWEST);
        self.again_at = now + self.wait;
        Some(self.from)
    }

    /// What an answer tells. One that does not tell whether it was carried out settles nothing.
    pub fn answered(&self, answer: &Answer) -> Claim {
        match answer {
            Ok(found) => judge(self.from, self.me, *found),
            Err(_) => Claim::Open,
        }
    }
}
