//! Somebody dies or leaves at any moment of a copy.

use super::trio::*;
use dvs_core::errors::*;

/// Something happens after each number of steps in turn; every party then finds its way.
fn at_every_moment(vms: [u32; 3], event: impl Fn(&mut Trio), allowed: &[i32]) {
    for moment in 0.. {
        let (mut trio, id) = Trio::under_way(vms);
        let happened = trio.steps_with(moment, &event);
        trio.steps(|trio, _| {
            trio.net.settle();
            false
        });
        if trio.net.cores.contains_key(&vms[0]) {
            let result = trio.result(id);
            assert!(allowed.contains(&result), "{vms:?} {moment}: {result}");
            if result == 0 {
                let there = trio.net.cores.contains_key(&trio.vm(DESTINATION));
                assert!(!there || trio.arrived(SEVERAL), "{vms:?} {moment}");
            }
        }
        for core in trio.net.cores.values() {
            let stats = core.stats();
            assert_eq!((stats.sides, stats.copies), (0, 0), "{vms:?} {moment}");
        }
        trio.finish();
        if !happened {
            break;
        }
    }
}

#[test]
fn a_party_may_die_at_any_moment() {
    let died = [0, ESRCDIED, EDSTDIED];
    for vms in PLACEMENTS {
        at_every_moment(vms, |t| t.unbind(SOURCE), &died);
        at_every_moment(vms, |t| t.unbind(DESTINATION), &died);
        at_every_moment(vms, |t| t.unbind(REQUESTER), &[0, ENOTBIND]);
    }
}

#[test]
fn a_vm_may_die_at_any_moment() {
    for vms in PLACEMENTS {
        for vm in 1..=3 {
            let lost = |t: &mut Trio| t.net.kill_vm(vm);
            let allowed = [0, ESRCDIED, EDSTDIED];
            if vms.contains(&vm) {
                at_every_moment(vms, lost, &allowed);
            }
        }
    }
}

#[test]
fn everybody_may_leave_at_any_moment() {
    for vms in PLACEMENTS {
        let leave = |ep: i32| {
            move |t: &mut Trio| {
                let (vm, id) = t.waits[usize::try_from(ep - SOURCE).unwrap()];
                let now = t.net.now;
                t.net.core(vm).cancel(id, ETIMEDOUT, now);
            }
        };
        at_every_moment(vms, leave(SOURCE), &[0, EPROCSTS]);
        at_every_moment(vms, leave(DESTINATION), &[0, EPROCSTS]);
    }
}

#[test]
fn the_requester_may_leave_at_any_moment() {
    for vms in PLACEMENTS {
        for abandon in [false, true] {
            for moment in 0.. {
                let (mut trio, id) = Trio::under_way(vms);
                let happened = trio.steps_with(moment, |trio| {
                    let now = trio.net.now;
                    let core = trio.net.core(vms[0]);
                    core.cancel(id, ETIMEDOUT, now);
                    if abandon {
                        core.abandon(id, now);
                    }
                });
                let result = trio.result(id);
                assert!([0, ETIMEDOUT].contains(&result), "{vms:?} {result}");
                assert!(result != 0 || trio.arrived(SEVERAL), "{vms:?} {moment}");
                trio.finish();
                if !happened {
                    break;
                }
            }
        }
    }
}

#[test]
fn the_device_may_go_at_any_moment() {
    for vms in PLACEMENTS {
        for moment in 0..60 {
            let (mut trio, id) = Trio::under_way(vms);
            trio.steps(|_, n| n == moment);
            trio.net.core(vms[0]).stop();
            let result = trio.result(id);
            assert!([0, ENOTCONN].contains(&result), "{vms:?} {result}");
        }
    }
}
