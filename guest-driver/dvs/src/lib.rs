//! IPC between the processes of virtual machines, by `/dev/dvs`.
//!
//! An [`Endpoint`] is a number under which a program can be reached by the programs of all VMs of
//! its distributed container, wherever they run. It belongs to one open file and is given up when
//! the [`Endpoint`] is dropped. Messages are exchanged by rendezvous: nothing is buffered, and a
//! [`send`](Endpoint::send) that succeeds has been received.
//!
//! # A service and its client
//!
//! ```no_run
//! use dvs::{Dvs, Endpoint, Timeout};
//! use std::time::Duration;
//!
//! const COUNTER: i32 = 10;
//!
//! fn server() -> Result<(), dvs::Error> {
//!     let endpoint = Endpoint::bind(Dvs::open()?, COUNTER)?;
//!     let mut total = 0_u64;
//!     // One system call per request: it answers the one and waits for the next.
//!     endpoint.serve(|request| {
//!         total += request.bytes().len() as u64;
//!         total.to_le_bytes()
//!     })
//! }
//!
//! fn client() -> Result<u64, dvs::Error> {
//!     let endpoint = Endpoint::bind(Dvs::open()?, 40)?;
//!     let time = Timeout::After(Duration::from_secs(5));
//!     let counter = endpoint.device().await_bound(COUNTER, time)?;
//!     let reply = endpoint.sendrec(counter, b"hello", time)?;
//!     let total = reply.bytes().try_into().map_err(|_| dvs::Error::MessageSize)?;
//!     Ok(u64::from_le_bytes(total))
//! }
//! ```
//!
//! # What there is
//!
//! | for | calls |
//! |---|---|
//! | messages | [`send`](Endpoint::send), [`receive`](Endpoint::receive), [`sendrec`](Endpoint::sendrec) |
//! | servers | [`serve`](Endpoint::serve), [`receive_request`](Endpoint::receive_request), [`Request`]: answer, reply and receive, relay |
//! | events | [`notify`](Endpoint::notify), [`notify_value`](Endpoint::notify_value) |
//! | bulk data | [`copy_to`](Endpoint::copy_to), [`copy_from`](Endpoint::copy_from), [`copy_between`](Endpoint::copy_between); memory is lent by [`lend`](Endpoint::lend), [`lend_mut`](Endpoint::lend_mut), [`LentBuffer`] |
//! | names | [`await_bound`](Dvs::await_bound), [`await_unbound`](Dvs::await_unbound), [`state`](Dvs::state), [`endpoint_of`](Dvs::endpoint_of) |
//! | cancellation | a [`Timeout`] for every call that may wait, [`cancel_receive`](Endpoint::cancel_receive), [`wakeup`](Endpoint::wakeup) |
//! | moving | [`migrate_start`](Dvs::migrate_start), [`migrate_commit`](Dvs::migrate_commit), [`migrate_rollback`](Dvs::migrate_rollback), [`Endpoint::adopt`] |
//! | administration | [`privileges`](Dvs::privileges), [`set_privileges`](Dvs::set_privileges), [`bind_process`](Dvs::bind_process) (the process: [`assigned`](Endpoint::assigned)), [`unbind`](Dvs::unbind) |
//!
//! By default an endpoint with a server's number (below [`Info::nr_sysprocs`] − [`Info::nr_tasks`])
//! may do everything; a user's may call servers by [`sendrec`](Endpoint::sendrec), and lend them
//! memory.
//!
//! With the feature `tokio`, `AsyncEndpoint` has the same for asynchronous programs.

#[cfg(feature = "tokio")]
mod asynchronous;

mod abi;
mod address;
mod copy;
mod device;
mod endpoint;
mod error;
mod events;
mod grant;
mod message;
mod migration;
mod privileges;
mod request;
mod state;
mod sys;
mod timeout;

pub use address::{Address, Any, OneOrAny};
#[cfg(feature = "tokio")]
pub use asynchronous::{AsyncEndpoint, AsyncReceived, AsyncRequest};
pub use copy::{CopyError, RemoteMemory};
pub use device::{Dvs, Info, Role};
pub use endpoint::Endpoint;
pub use error::Error;
pub use grant::{Access, Grant, GrantKey, LentBuffer};
pub use message::{Message, Notification, Received};
pub use migration::MigrationToken;
pub use privileges::{Calls, Level, Privileges};
pub use request::{NotRelayed, Request};
pub use state::{Source, State, Whereabouts};
pub use timeout::Timeout;

/// Bytes that a message can have at most; a VM's limit may be lower, see [`Info::max_message`].
pub const MESSAGE_MAX: usize = abi::MESSAGE_MAX;
