//! Copies that a new life of a VM comes into.

use super::trio::{PLACEMENTS, SEVERAL, Trio, request};
use dvs_core::errors::*;

#[test]
fn copies_with_another_vm_end_with_notconn() {
    for vms in PLACEMENTS.into_iter().filter(|vms| *vms != [1, 1, 1]) {
        for vm in 1..=3u32 {
            for moment in 0.. {
                let (mut trio, id) = Trio::under_way(vms);
                if !trio.steps_with(moment, |trio| trio.net.renew(vm)) {
                    break;
                }
                let result = trio.result(id);
                let explained: &[i32] = if vm == vms[0] {
                    &[0, ENOTCONN]
                } else if vms.contains(&vm) {
                    &[0, ESRCDIED, EDSTDIED, EPROCSTS]
                } else {
                    &[0]
                };
                assert!(
                    explained.contains(&result),
                    "{vms:?} {vm} {moment}: {result}"
                );
                assert!(result != 0 || trio.arrived(SEVERAL));
                trio.finish();
            }
        }
    }
}

#[test]
fn a_copy_within_the_vm_goes_on() {
    for moment in 0.. {
        let (mut trio, id) = Trio::under_way([1, 1, 1]);
        if !trio.steps_with(moment, |trio| trio.net.renew(1)) {
            break;
        }
        assert_eq!(trio.result(id), 0);
        assert!(trio.arrived(SEVERAL));
        trio.finish();
    }
}

#[test]
fn copies_are_possible_again() {
    for vms in PLACEMENTS {
        let mut trio = Trio::new(vms);
        for vm in 1..=3 {
            trio.net.renew(vm);
            // Who waited for anybody still waits.
            assert_eq!(trio.copy(&request(SEVERAL)), 0, "{vms:?} {vm}");
            assert!(trio.arrived(SEVERAL));
        }
        trio.finish();
    }
}
