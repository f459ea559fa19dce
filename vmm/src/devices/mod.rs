//! Devices of the machine: a folder for each, with the same few files in each where it has them.
//!
//! `device.rs` answers the guest, `backend.rs` talks to the host's side, `event_handler.rs` reacts to the host's events.

pub mod dvs;
pub mod power;
pub mod uart;
pub mod virtio;
