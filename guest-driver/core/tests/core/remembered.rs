//! What a core remembers of far endpoints is no reason to believe that they live.

use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, Kind};

/// Endpoints 10 in VM 1 and 20 in VM 2, which then learns where 10 is and sends nothing there.
fn knows_without_having_sent() -> Net {
    let mut net = Net::new(3);
    assert_eq!(net.bind(1, 10).result, 0);
    assert_eq!(net.bind(2, 20).result, 0);
    assert_eq!(net.reply(2, 20, 10, b"nobody asked"), EPROCSTS);
    net
}

#[test]
fn a_notification_to_one_who_died_unheard_fails() {
    let mut net = knows_without_having_sent();
    net.unbind(1, 10);
    assert_eq!(net.notify(2, 20, 10), EDSTDIED);
}

#[test]
fn a_reply_to_one_who_died_unheard_says_so() {
    let mut net = knows_without_having_sent();
    net.unbind(1, 10);
    assert_eq!(net.reply(2, 20, 10, b"nobody asked"), EDSTDIED);
}

#[test]
fn a_notification_finds_the_number_in_its_new_place() {
    let mut net = knows_without_having_sent();
    net.unbind(1, 10);
    assert_eq!(net.bind(3, 10).result, 0);
    assert_eq!(net.notify(2, 20, 10), 0);
    let id = net.receive(3, 10, 20, 0);
    assert_eq!(net.outcome(3, id).kind, Kind::Notify);
}

#[test]
fn a_notification_that_came_too_late_is_no_proof() {
    let mut net = knows_without_having_sent();
    // Its frame is on its way when the number is given up.
    let now = net.now;
    let id = net.core(2).notify(20, Addr::number(10), now);
    while net.pending(2, id) {
        net.step(2);
    }
    net.unbind(1, 10);
    assert_eq!(net.result(2, id), 0);
    assert_eq!(net.bind(3, 10).result, 0);
    assert_eq!(net.notify(2, 20, 10), 0);
    let id = net.receive(3, 10, 20, 0);
    assert_eq!(net.outcome(3, id).kind, Kind::Notify);
}

#[test]
fn a_message_that_died_with_its_sender_is_no_proof() {
    let mut net = knows_without_having_sent();
    assert_eq!(net.bind(2, 21).result, 0);
    let now = net.now;
    net.core(2).send(21, Addr::number(10), b"", 0, now);
    net.core(2).unbind(21, now);
    net.settle();
    net.unbind(1, 10);
    assert_eq!(net.notify(2, 20, 10), EDSTDIED);
}

#[test]
fn a_message_does_not_overtake_a_notification_that_looks_for_its_way() {
    let mut net = knows_without_having_sent();
    let (id, now) = (net.receive(1, 10, ANY, 0), net.now);
    net.core(2).notify(20, Addr::number(10), now);
    net.core(2).send(20, Addr::number(10), b"later", 0, now);
    net.settle();
    assert_eq!(net.outcome(1, id).kind, Kind::Notify);
}

#[test]
fn a_number_bound_here_meanwhile_is_another_life() {
    for notify in [false, true] {
        let mut net = Net::new(2);
        assert_eq!(net.bind(2, 20).result, 0);
        let first = net.bind(1, 10).from;
        net.unbind(1, 10);
        // It is bound in this VM before the question for it is answered.
        let now = net.now;
        let bind = net.core(2).bind(10, now);
        let id = if notify {
            net.core(2).notify(20, first, now)
        } else {
            net.core(2).reply(20, first, 0, b"", now)
        };
        net.settle();
        assert_eq!(net.result(2, bind), 0);
        assert_eq!(net.result(2, id), EENDPOINT, "notify: {notify}");
    }
}
