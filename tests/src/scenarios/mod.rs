//! What is shown, tested and measured on real guests.

mod actor;
mod bench;
mod calls;
mod catalogue;
mod demo;
mod faults;
mod hosts;
mod lifecycle;
mod migration;
mod operator_moves;
mod ping;
mod process_moves;
mod timeline;

pub use catalogue::{Demo, Group, Test, demos, groups, long_tests, tests};

/// Number of the server's endpoint.
const SERVER: i32 = 10;
/// Number of the first client's endpoint; further clients follow.
const CLIENT: i32 = 20;
/// The distributed container of all guests that shall see each other.
const DCID: u32 = 1;
