//! The vhost-user back-end: rings of guests on one side, frames on the other.
//!
//! One thread carries the frames of all VMs ([`event_loop`], [`worker`]); everything that a guest can reach is
//! handled there ([`fabric`], [`ring`], [`chain`]). Each VMM's connection has a thread of its own
//! that reads vhost-user messages, checks them and maps memory ([`session`]), so that a VMM that
//! is slow, silent or hostile holds up nobody.

pub mod chain;
mod connection;
pub mod counters;
pub mod event_loop;
pub mod fabric;
pub mod log;
pub mod memory;
pub mod port;
pub mod rate;
mod refusal;
pub mod remote;
pub mod ring;
pub mod session;
pub mod state;
mod timer;
mod token;
pub mod worker;
