//! More copies at once than one.

use super::trio::*;
use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Limits, READ};

#[test]
fn many_copies_at_once_take_turns() {
    let mut net = Net::new(3);
    let mut calls = Vec::new();
    for i in 0..30i32 {
        let (vm, other) = (1 + i.unsigned_abs() % 3, 1 + (i.unsigned_abs() + 1) % 3);
        let (requester, server) = (-34 + i, i);
        let bytes = pattern(SEVERAL, usize::try_from(i).unwrap());
        net.bind(vm, requester);
        net.bind(other, server);
        net.core(vm).memory(requester).clone_from(&bytes);
        *net.core(other).memory(server) = vec![0; SEVERAL];
        net.receive(other, server, ANY, 0);
        let request = between(end(requester, 0), end(server, 0), SEVERAL);
        let now = net.now;
        let id = net.core(vm).copy(requester, &request, now);
        calls.push((vm, id, other, server, bytes));
    }
    net.settle();
    for (vm, id, other, server, bytes) in calls {
        assert_eq!(net.result(vm, id), 0);
        assert_eq!(net.core(other).memory(server)[..], bytes[..]);
    }
    net.assert_clean();
}

#[test]
fn pools_have_an_end() {
    let limits = Limits {
        copies: 2,
        sides: 4,
        grants: 1,
        ..Limits::default()
    };
    let mut trio = Trio::with([1, 1, 2], limits, 64, 1000);
    trio.hold_copies();
    let ids = [(); 3].map(|()| trio.begin(&request(10)));
    trio.steps(|_, _| false);
    let results = ids.map(|id| trio.result(id));
    assert_eq!(results[2], EALLOCMEM, "{results:?}");
    assert!(results.contains(&0) || results.contains(&EALLOCMEM));
    assert!(trio.lend(SOURCE, ANY, READ, 0, 10).is_ok());
    assert_eq!(trio.lend(SOURCE, ANY, READ, 0, 10), Err(EALLOCMEM));
    trio.finish();
}
