//! Whoever copies pages has much to do, and time: guests and nodes come first.

use rustix::process::setpriority_process;

/// How far the threads that copy pages stand back, as `nice` counts it: they have a third of the
/// weight of those that they share a processor with, and whoever wakes up goes before them.
const NICENESS: i32 = 5;

/// From now on the calling thread stands back. Where nobody else wants the processor it has all of it.
pub(super) fn stand_back() {
    // To Linux a priority is a thread's.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "pages are copied at the cost of guests");
    }
}
