//! IPC between the processes of virtual machines, by `/dev/dvs`.
//!
//! An [`Endpoint`] is a number under which a program can be reached by the
//! programs of all VMs of its distributed container. It belongs to one open file
//! and is given up when the [`Endpoint`] is dropped.
//!
//! ```no_run
//! use dvs::{Any, Dvs, Endpoint, Received, Timeout};
//!
//! // A server: answers every request by its own bytes.
//! let server = Endpoint::bind(Dvs::open()?, 10)?;
//! loop {
//!     if let Received::Request(request) = server.receive(Any, Timeout::Forever)? {
//!         let bytes = request.message().bytes().to_vec();
//!         request.answer(&bytes)?;
//!     }
//! }
//! # Ok::<(), dvs::Error>(())
//! ```
//!
//! ```no_run
//! use dvs::{Dvs, Endpoint, Timeout};
//! use std::time::Duration;
//!
//! let client = Endpoint::bind(Dvs::open()?, 40)?;
//! let reply = client.sendrec(10, b"hello", Timeout::After(Duration::from_secs(1)))?;
//! assert_eq!(reply.bytes(), b"hello");
//! # Ok::<(), dvs::Error>(())
//! ```

mod endpoint;
mod error;
mod message;
mod sys;

pub use endpoint::{Dvs, Endpoint, Info, Timeout};
pub use error::Error;
pub use message::{Address, Any, From, Message, Received, Request};

/// Bytes that a message can have at most; a VM's limit may be lower, see [`Info::max_message`].
pub const MESSAGE_MAX: usize = sys::MESSAGE_MAX;
