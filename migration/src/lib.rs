//! How a machine moves from one host to another.
//!
//! Pure code: no socket, no clock, no thread, no guest memory. The VMM tells what happened as
//! events and carries out the actions that it gets back; time is a [`Duration`](std::time::Duration)
//! since any moment that the VMM keeps to, randomness and pages are passed in.
//!
//! ```text
//!  source VMM                                              destination VMM
//!  ┌──────────────┐   control: offer, state, hand-over  ┌───────────────────┐
//!  │ source::     │ ──────────────────────────────────▶ │ destination::     │
//!  │   Source     │ ◀────────────────────────────────── │   Destination     │
//!  │  └ precopy   │   accept, rounds, ready, committed  │                   │
//!  └──────┬───────┘ ═══════ N data streams: pages ═════▶└─────────┬─────────┘
//!         │ Take                                                  │ Take
//!      its node ───────────▶ directory: one record ◀────────── its node
//! ```
//!
//! The record of the VM in the directory says who runs it. Moving that record in one transaction
//! is the commit, and there is no other: see [`place`]. The protocol as a whole, and what a failure
//! at each step leads to, is in `docs/migration.md`.

pub mod bitmap;
pub mod compat;
pub mod destination;
pub mod layout;
pub mod message;
pub mod pages;
pub mod place;
pub mod precopy;
pub mod progress;
pub mod source;
pub mod stream;
pub mod take;
pub mod text;

#[cfg(test)]
mod both_test;
#[cfg(test)]
mod testing;
