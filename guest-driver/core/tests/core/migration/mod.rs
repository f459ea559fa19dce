//! Endpoints that move: docs/endpoint-migration.md.

mod chaos;
mod copies;
mod failures;
mod frames;
mod moves;
mod orders;
mod window;

use crate::net::Net;
use dvs_core::{ANY, CallId, Kind, NOWAIT};

/// The token of most tests.
pub const TOKEN: u64 = 0xfeed_0000_0000_0001;

/// Three VMs; the server is 20 in the first, a client is in each.
pub fn three() -> Net {
    let mut net = Net::new(3);
    assert_eq!(net.bind(1, 20).result, 0);
    for (vm, nr) in [(1, 10), (2, 11), (3, 12), (1, 13), (2, 14), (3, 15)] {
        assert_eq!(net.bind(vm, nr).result, 0);
    }
    net
}

/// Starts and lets acknowledgements come.
pub fn start(net: &mut Net, vm: u32, nr: i32) {
    let id = net.migrate_start(vm, nr, TOKEN);
    net.pass(300_000_000);
    assert_eq!(net.result(vm, id), 0);
}

/// What the endpoint takes at once: from whom, how and what.
pub fn take(net: &mut Net, vm: u32, ep: i32) -> Option<(i32, Kind, Vec<u8>, u64)> {
    let id = net.receive(vm, ep, ANY, NOWAIT);
    let got = net.outcome(vm, id);
    (got.result == 0).then_some((got.from.nr, got.kind, got.data, got.token))
}

/// Ends well, with this reply.
pub fn assert_answered(net: &mut Net, vm: u32, id: CallId, data: &[u8]) {
    let got = net.outcome(vm, id);
    assert_eq!((got.result, got.kind, got.from.nr), (0, Kind::Reply, 20));
    assert_eq!(got.data, data);
}

/// The number of an endpoint, as a byte of a message.
fn low(number: i32) -> u8 {
    u8::try_from(number).unwrap()
}
