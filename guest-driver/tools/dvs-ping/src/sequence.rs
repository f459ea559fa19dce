//! Which numbers have come, and how.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Missing numbers that are kept one by one; a larger hole is only counted.
const MISSING_MAX: usize = 65_536;

/// Checks numbers that should come as 0, 1, 2 …
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sequence {
    next: u64,
    missing: BTreeSet<u64>,
    uncounted: u64,
    /// Numbers that came more than once.
    pub duplicated: u64,
    /// Numbers that came after a higher one.
    pub out_of_order: u64,
}

impl Sequence {
    /// A number has come.
    pub fn came(&mut self, number: u64) {
        if number >= self.next {
            for missed in self.next..number {
                if self.missing.len() == MISSING_MAX {
                    self.uncounted = self.uncounted.saturating_add(number - missed);
                    break;
                }
                self.missing.insert(missed);
            }
            self.next = number.saturating_add(1);
        } else if self.missing.remove(&number) {
            self.out_of_order += 1;
        } else {
            self.duplicated += 1;
        }
    }

    /// All below this have been sent.
    pub fn ended(&mut self, count: u64) {
        if count > self.next {
            self.came(count - 1);
            self.missing.insert(count - 1);
        }
    }

    /// Numbers below the highest that have not come.
    pub fn lost(&self) -> u64 {
        self.uncounted
            .saturating_add(u64::try_from(self.missing.len()).unwrap_or(u64::MAX))
    }

    /// How many different numbers have come.
    pub fn count(&self) -> u64 {
        self.next.saturating_sub(self.lost())
    }
}

#[cfg(test)]
#[path = "sequence_test.rs"]
mod tests;
