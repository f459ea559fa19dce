//! Copies over a fabric that loses, repeats and delays their frames.

use super::trio::*;
use crate::net::Fate;
use dvs_core::Limits;

#[test]
fn bulk_frames_may_be_lost_repeated_and_late() {
    let fates = [Fate::Deliver, Fate::Drop, Fate::Repeat, Fate::Hold];
    for vms in PLACEMENTS {
        for seed in 0..16usize {
            let mut trio = Trio::with(vms, Limits::default(), 2 + seed % 40, LONGEST);
            let mut x = seed * 2_654_435_761 + 1;
            for _ in 0..40 {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                trio.net.bulk_fates.push_back(fates[(x >> 33) % 4]);
                trio.net.fates.push_back(fates[(x >> 40) % 4]);
            }
            let id = trio.begin(&request(LONGEST));
            trio.net.settle();
            for i in 0..20 {
                trio.net.release(i * 7);
                trio.net.settle();
            }
            trio.net.pass(3_000_000_000);
            assert_eq!(trio.result(id), 0, "{vms:?} {seed}");
            assert!(trio.arrived(LONGEST), "{vms:?} {seed}");
            trio.finish();
        }
    }
}

#[test]
fn the_backstop_covers_what_nobody_announces() {
    let mut trio = Trio::with([1, 2, 3], Limits::default(), 64, LONGEST);
    trio.net.bulk_fates.extend([Fate::Drop; 20]);
    let id = trio.begin(&request(LONGEST));
    for _ in 0..500 {
        for vm in 1..=3 {
            trio.net.step(vm);
        }
        trio.net.forget_retries();
    }
    trio.net.pass(5_000_000_000);
    assert_eq!(trio.result(id), 0);
    assert!(trio.arrived(LONGEST));
    trio.finish();
}
