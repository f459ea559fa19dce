use crate::directory::local::Local;
use crate::directory::{Directory, Seen};
use crate::frame::{kind, vm_and_incarnation};
use crate::switch::{Action, PortId, Switch};
use crate::vm::VmAttributes;

/// Does what the switch asks; gives the frames that it says: port, kind, argument.
fn settle(switch: &mut Switch, directory: &mut Local) -> Vec<(PortId, u8, u64)> {
    let mut said = Vec::new();
    loop {
        while let Some(action) = switch.next_action() {
            match action {
                Action::Ask(id, request) => directory.submit(id, request),
                Action::Say(to, frame) => said.push((to, frame.kind, frame.arg.get())),
                _ => {}
            }
        }
        match directory.next_answer() {
            Some((id, answer)) => switch.answer(id, answer),
            None => return said,
        }
    }
}

fn connect(switch: &mut Switch, directory: &mut Local, vm: u32) -> PortId {
    let id = switch.port_of(vm).expect("attached");
    switch.connected(id);
    settle(switch, directory);
    switch.started(id);
    settle(switch, directory);
    id
}

/// VMs 1 to 4 run, the last of them in another DC.
fn four_vms() -> (Switch, Local) {
    let (mut switch, mut directory) = (Switch::new(8), Local::in_memory());
    for vm in 1..=4 {
        let attributes = VmAttributes::new(vm, u32::from(vm == 4));
        switch.attach(attributes).expect("free");
        settle(&mut switch, &mut directory);
        connect(&mut switch, &mut directory, vm);
    }
    (switch, directory)
}

fn restarted(directory: &Local) -> Switch {
    let mut switch = Switch::new(8);
    let restore = |seen: Seen| switch.restore(seen).map(|_| ());
    directory
        .records()
        .into_iter()
        .try_for_each(restore)
        .expect("room");
    switch
}

fn gone(said: &[(PortId, u8, u64)], vm: u32, incarnation: u32) -> Vec<usize> {
    let arg = vm_and_incarnation(vm, incarnation);
    let of_this = said.iter().filter(|it| it.1 == kind::GONE && it.2 == arg);
    of_this.map(|it| it.0.index()).collect()
}

#[test]
fn the_end_of_a_life_is_said_to_the_whole_dc() {
    let (mut switch, mut directory) = four_vms();
    let one = switch.port_of(1).expect("attached");
    let incarnation = switch.incarnation(one).expect("alive");
    switch.disconnected(one);
    let said = settle(&mut switch, &mut directory);
    assert_eq!(gone(&said, 1, incarnation), [1, 2]);
}

#[test]
fn a_port_that_does_not_run_is_not_told() {
    let (mut switch, mut directory) = four_vms();
    let (one, two) = (
        switch.port_of(1).expect("there"),
        switch.port_of(2).expect("there"),
    );
    let incarnation = switch.incarnation(one).expect("alive");
    switch.stopped(two);
    switch.disconnected(one);
    let said = settle(&mut switch, &mut directory);
    assert_eq!(gone(&said, 1, incarnation), [2]);
}

#[test]
fn a_life_that_nobody_takes_up_after_a_restart_is_over_for_all() {
    let (switch, mut directory) = four_vms();
    let one = switch.port_of(1).expect("attached");
    let incarnation = switch.incarnation(one).expect("alive");
    drop(switch);
    let mut switch = restarted(&directory);
    for vm in 2..=4 {
        connect(&mut switch, &mut directory, vm);
    }
    // What the device adapter does when the grace time for VMMs is over.
    let one = switch.port_of(1).expect("restored");
    assert_eq!(switch.incarnation(one), Some(incarnation));
    switch.disconnected(one);
    let said = settle(&mut switch, &mut directory);
    assert_eq!(gone(&said, 1, incarnation), [1, 2]);
    assert_eq!(switch.incarnation(one), None);
    assert!(
        directory
            .records()
            .iter()
            .all(|it| it.record.attributes.vm != 1 || it.record.life.is_none())
    );
}
