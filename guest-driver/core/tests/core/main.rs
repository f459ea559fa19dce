//! The core under test: single calls, and random histories.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on ends"
)]

mod bench;
mod chaos;
mod hostile;
mod ipc;
mod liar;
mod liveness;
mod net;
mod pools;
