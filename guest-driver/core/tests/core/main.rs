//! The core under test: single calls, and random histories.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on ends"
)]

mod awaiting;
mod bench;
mod chaos;
mod copy;
mod copy_chaos;
mod copy_hostile;
mod cycle;
mod fate;
mod hostile;
mod ipc;
mod liar;
mod liveness;
mod migration;
mod model;
mod net;
mod notes;
mod pools;
mod privilege;
mod relay;
mod remembered;
mod renewed;
mod state;
mod wakeup;
