//! Notifications: values, other sources, and what becomes of both.

use crate::ipc::placements;
use crate::net::{Fate, Net};
use dvs_core::errors::*;
use dvs_core::{ANY, HARDWARE, Kind, Limits, NO_VALUE, NOWAIT, SELF};

fn take(net: &mut Net, vm: u32, ep: i32) -> Option<(i32, i64)> {
    let id = net.receive(vm, ep, ANY, NOWAIT);
    let got = net.outcome(vm, id);
    if got.result == EAGAIN {
        return None;
    }
    assert_eq!((got.result, got.kind), (0, Kind::Notify));
    Some((got.from.nr, got.token.cast_signed()))
}

#[test]
fn the_last_value_wins() {
    placements(|mut net, c, s| {
        assert_eq!(net.notify_value(c, 10, 20, SELF, 5), 0);
        assert_eq!(take(&mut net, s, 20), Some((10, 5)));
        for value in [1, i64::MIN, 7] {
            assert_eq!(net.notify_value(c, 10, 20, SELF, value), 0);
        }
        assert_eq!(take(&mut net, s, 20), Some((10, 7)));
        assert_eq!(net.notify_value(c, 10, 20, SELF, 8), 0);
        assert_eq!(net.notify(c, 10, 20), 0);
        assert_eq!(take(&mut net, s, 20), Some((10, NO_VALUE)));
        assert_eq!(take(&mut net, s, 20), None);
        // To one who waits.
        let id = net.receive(s, 20, ANY, 0);
        assert_eq!(net.notify_value(c, 10, 20, SELF, -9), 0);
        assert_eq!(net.outcome(s, id).token.cast_signed(), -9);
        net.assert_clean();
    });
}

#[test]
fn the_last_value_wins_on_the_way() {
    let mut net = Net::new(2);
    net.bind(1, 10);
    net.bind(2, 20);
    net.notify(1, 10, 20);
    assert_eq!(take(&mut net, 2, 20), Some((10, NO_VALUE)));
    net.fates.extend([Fate::Drop, Fate::Drop, Fate::Repeat]);
    for value in 0..30 {
        let now = net.now;
        let to = dvs_core::Addr::number(20);
        net.core(1).notify_value(10, to, SELF, value, now);
        net.step(1);
    }
    net.settle();
    assert_eq!(take(&mut net, 2, 20), Some((10, 29)));
    assert_eq!(take(&mut net, 2, 20), None);
    net.assert_clean();
}

#[test]
fn in_the_name_of_another() {
    placements(|mut net, c, s| {
        net.bind(c, 11);
        assert_eq!(net.notify_value(c, 10, 20, 11, 3), 0);
        assert_eq!(take(&mut net, s, 20), Some((11, 3)));
        assert_eq!(net.notify_value(c, 10, 20, 12, 3), ENOTBIND);
        assert_eq!(
            net.notify_value(c, 10, 20, 20, 3),
            if c == s { EBADDEST } else { ENOTBIND }
        );
        // To oneself in the name of another.
        assert_eq!(net.notify_value(c, 10, 10, 11, 4), 0);
        assert_eq!(take(&mut net, c, 10), Some((11, 4)));
        // It is the other one's: it goes when that one goes.
        assert_eq!(net.notify_value(c, 10, 20, 11, 5), 0);
        net.unbind(c, 11);
        if c == s {
            assert_eq!(take(&mut net, s, 20), None);
        }
        net.assert_clean();
    });
}

#[test]
fn the_hardware_is_near() {
    placements(|mut net, c, s| {
        let result = if c == s { 0 } else { ERMTPROC };
        assert_eq!(net.notify_value(c, 10, 20, HARDWARE, 1), result);
        assert_eq!(net.notify_value(c, 10, 10, HARDWARE, 2), 0);
        assert_eq!(net.notify_value(c, 10, 10, HARDWARE, 3), 0);
        assert_eq!(take(&mut net, c, 10), Some((HARDWARE, 3)));
        assert_eq!(take(&mut net, c, 10), None);
        if c == s {
            assert_eq!(take(&mut net, s, 20), Some((HARDWARE, 1)));
        }
    });
}

#[test]
fn values_are_given_back() {
    let limits = Limits {
        endpoints: 4,
        ..Limits::default()
    };
    let mut net = Net::with(1, limits, 64);
    net.bind(1, 10);
    net.bind(1, 20);
    for round in 0..100 {
        assert_eq!(net.notify_value(1, 10, 20, SELF, round), 0);
        assert_eq!(net.notify_value(1, 10, 20, HARDWARE, round), 0);
        match round % 4 {
            0 => {
                net.unbind(1, 10);
                net.bind(1, 10);
            }
            1 => {
                net.unbind(1, 20);
                net.bind(1, 20);
            }
            _ => while take(&mut net, 1, 20).is_some() {},
        }
    }
}
