//! virtio-dvs as a vhost-user front-end: the node carries the frames, the VMM only introduces guest and node.
//!
//! ```text
//!            open, handshake             DRIVER_OK
//!   absent ───────────────────▶ connected ─────────▶ running ──┐
//!     ▲                             ▲  ◀──── reset ────┘       │ node dies
//!     │                             │                          ▼
//!   (boot fails)                    └───── node is back ──── waiting (the guest runs on)
//! ```

mod backend;
mod device;
mod event_handler;
mod log;
mod migration;
mod node;
mod queue;

pub use backend::DRIVER_FEATURES;
pub use device::Dvs;
pub use event_handler::NodeHandler;
pub use migration::{DvsState, LossNotice};
pub use node::{NodeError, NodeLink};
