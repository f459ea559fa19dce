//! The connection of one VMM, from its first message to its end.

use crate::device::refusal::Refusal;
use crate::device::remote::Remote;
use crate::device::session::Session;
use crate::switch::PortId;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use vhost::vhost_user::{BackendReqHandler, Error as ProtocolError};

/// Serves a VMM's connection until it ends. Call it on a thread of its own.
pub fn serve(stream: UnixStream, remote: &Remote, port: PortId, vm: u32) {
    match open(&stream, remote, port, vm) {
        Err(refusal) => tracing::warn!(vm, "the connection of a VMM is refused: {refusal}"),
        Ok(session) => {
            tracing::info!(vm, "a VMM is connected");
            let id = session.id();
            let why = handle(stream, session);
            tracing::info!(vm, "the connection of the VMM is over: {why}");
            // A node that has stopped has nothing left to be told.
            let _ = remote.run(move |worker| worker.disconnected(port, id));
        }
    }
}

fn open(stream: &UnixStream, remote: &Remote, port: PortId, vm: u32) -> Result<Session, Refusal> {
    let to_shut_down = stream.try_clone().ok();
    let own = stream.try_clone().map_err(Refusal::Socket)?;
    let id = remote
        .ask(move |worker, done| worker.connected(port, to_shut_down, done))?
        .map_err(Refusal::from)?;
    let allow_unsealed = remote.ask(|worker, done| done(worker.allow_unsealed()))?;
    Session::open(remote.clone(), port, id, vm, allow_unsealed, own)
}

/// Handles messages until the connection ends; says why it did.
fn handle(stream: UnixStream, session: Session) -> ProtocolError {
    let session = Arc::new(Mutex::new(session));
    let lock = || session.lock().unwrap_or_else(PoisonError::into_inner);
    let mut handler = BackendReqHandler::from_stream(stream, session.clone());
    loop {
        let next = lock().await_message().map_err(ProtocolError::SocketError);
        match next.and_then(|()| handler.handle_request()) {
            Ok(()) | Err(ProtocolError::SocketRetry(_)) => {}
            Err(error) => return lock().refusal().map_or(error, ProtocolError::from),
        }
    }
}
