//! The machine: a KVM virtual machine monitor with a virtio-dvs device.
//!
//! [`machine`] is the machine itself, [`devices`] what is plugged into it, [`control`] runs one machine through its
//! life, [`api`] is how it is told to,
//! [`migration`] moves it to another host, and
//! [`ctl`] tells it from the command line. See ARCHITECTURE.md.

pub mod api;
pub mod control;
pub mod ctl;
pub mod devices;
pub mod machine;
pub mod migration;
