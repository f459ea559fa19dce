//! Calls, and traces that follow them.

use super::Vmm;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use virtio_dvs::frame::kind;
use virtio_dvs::node::client::{Client, ClientError};
use virtio_dvs::node::control::{Trace, TraceRequest};
use virtio_dvs::spec::QUEUE_MSG_TX;

/// An address that nobody listens at.
pub fn free_address() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

pub fn request(endpoint: i32, count: usize) -> TraceRequest {
    TraceRequest {
        dcid: 0,
        endpoint,
        count,
        timeout_ms: 20_000,
    }
}

/// Begins a trace on another thread; gives its result when it ends.
pub fn follow(
    client: Client,
    request: TraceRequest,
) -> thread::JoinHandle<Result<Trace, ClientError>> {
    thread::spawn(move || client.trace(&request))
}

/// Sends a request with these numbers, from endpoint 10 to 20.
pub fn call(a: &mut Vmm, b: &Vmm, generation: u32, op: u64) {
    let mut frame = a.guest.frame_to(kind::REQ, b.guest.vm, b.guest.incarnation);
    frame.src_ep = 10.into();
    frame.src_gen = generation.into();
    frame.dst_ep = 20.into();
    frame.op = op.into();
    a.guest.send(&frame, &[]).unwrap();
    a.kick(QUEUE_MSG_TX);
}
