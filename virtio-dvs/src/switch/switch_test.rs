use super::*;
use crate::directory::Directory;
use crate::directory::local::Local;
use crate::frame::{Class, ControlRequest, ControlStatus, VM_NODE, result, vm_and_incarnation};
use crate::testing::{bind, lookup, unbind};
use zerocopy::FromZeros;

/// A switch with a directory; everything that the node says arrives.
struct World {
    switch: Switch,
    directory: Local,
    said: Vec<(PortId, Frame)>,
    others: Vec<Action>,
}

impl World {
    /// VMs 1, 2, 3 in DC 0 and VM 4 in DC 1, all running.
    fn new() -> World {
        let mut world = World::empty();
        for vm in 1..=4 {
            world.add(VmAttributes::new(vm, u32::from(vm == 4)));
        }
        world
    }

    fn empty() -> World {
        World {
            switch: Switch::new(8),
            directory: Local::in_memory(),
            said: Vec::new(),
            others: Vec::new(),
        }
    }

    fn add(&mut self, attributes: VmAttributes) -> PortId {
        let vm = attributes.vm;
        self.switch.attach(attributes).unwrap();
        self.settle();
        let id = self.port(vm);
        self.switch.connected(id);
        self.settle();
        self.switch.started(id);
        self.settle();
        assert_eq!(self.take_said(vm), [(kind::RETRY, u64::from(VM_NODE))]);
        id
    }

    fn settle(&mut self) {
        loop {
            while let Some(action) = self.switch.next_action() {
                match action {
                    Action::Ask(id, request) => self.directory.submit(id, request),
                    Action::Say(to, frame) => self.said.push((to, frame)),
                    other => self.others.push(other),
                }
            }
            match self.directory.next_answer() {
                Some((id, answer)) => self.switch.answer(id, answer),
                None => return,
            }
        }
    }

    fn port(&self, vm: u32) -> PortId {
        self.switch.port_of(vm).unwrap()
    }

    fn incarnation(&self, vm: u32) -> u32 {
        self.switch.incarnation(self.port(vm)).unwrap()
    }

    /// What was said to a VM: kinds and arguments.
    fn take_said(&mut self, vm: u32) -> Vec<(u8, u64)> {
        let frames = self.take_frames(vm);
        frames.iter().map(|it| (it.kind, it.arg.get())).collect()
    }

    fn take_frames(&mut self, vm: u32) -> Vec<Frame> {
        let port = self.port(vm);
        let (his, rest) = self.said.drain(..).partition(|(to, _)| *to == port);
        self.said = rest;
        his.into_iter()
            .map(|(_, frame): (_, Frame)| frame)
            .collect()
    }

    fn frame(&self, kind: u8, from: u32, to: u32) -> Frame {
        Frame {
            kind,
            src_vm: from.into(),
            src_inc: self.incarnation(from).into(),
            dst_vm: to.into(),
            dst_inc: self.incarnation(to).into(),
            ..Frame::new_zeroed()
        }
    }

    fn send(&mut self, from: u32, frame: &Frame) -> Verdict {
        let class = crate::frame::class_of(frame.kind).unwrap_or(Class::Message);
        let payload = frame.len.get() as usize;
        self.switch.frame(self.port(from), frame, class, payload)
    }

    fn control(&mut self, vm: u32, request: &ControlRequest) -> Vec<Frame> {
        let status = self.switch.control(self.port(vm), request);
        assert_eq!(status, ControlStatus::Accepted);
        self.settle();
        self.take_frames(vm)
    }

    fn bind(&mut self, vm: u32, endpoint: i32) -> u32 {
        let bound = self.control(vm, &bind(endpoint, 1))[0];
        assert_eq!((bound.kind, bound.result.get()), (kind::BOUND, result::OK));
        bound.dst_gen.get()
    }
}

#[test]
fn what_is_wrong_with_a_frame_is_found() {
    let mut world = World::new();
    let good = world.frame(kind::RPL, 1, 2);
    assert_eq!(world.send(1, &good), Verdict::Deliver(world.port(2)));
    type Spoil = fn(&mut Frame);
    let cases: [(Drop, Spoil); 13] = [
        (Drop::Reserved, |it| it.reserved = 1.into()),
        (Drop::NodeKind, |it| it.kind = kind::GONE),
        (Drop::NodeKind, |it| it.kind = 0),
        (Drop::UnknownKind, |it| it.kind = 200),
        (Drop::UnknownKind, |it| it.kind = kind::BULK_LAST),
        (Drop::ForgedSource, |it| it.src_vm = 3.into()),
        (Drop::ForgedSource, |it| it.src_vm = VM_NODE.into()),
        (Drop::SourceOver, |it| it.src_inc = 77.into()),
        (Drop::UnboundSource, |it| it.kind = kind::NTF),
        (Drop::ToNode, |it| it.dst_vm = VM_NODE.into()),
        (Drop::ToSelf, |it| it.dst_vm = 1.into()),
        (Drop::NoSuchVm, |it| it.dst_vm = 99.into()),
        (Drop::OtherDc, |it| it.dst_vm = 4.into()),
    ];
    for (drop, spoil) in cases {
        let mut frame = good;
        spoil(&mut frame);
        assert_eq!(world.send(1, &frame), Verdict::Drop(drop));
        world.switch.batch_end(world.port(1));
    }
    let port = world.port(1);
    let wrong = |world: &mut World, class, payload| world.switch.frame(port, &good, class, payload);
    assert_eq!(
        wrong(&mut world, Class::Bulk, 0),
        Verdict::Drop(Drop::WrongQueue)
    );
    assert_eq!(
        wrong(&mut world, Class::Message, 1),
        Verdict::Drop(Drop::Length)
    );
    let mut long = good;
    long.len = 433.into();
    assert_eq!(world.send(1, &long), Verdict::Drop(Drop::Length));
    world.settle();
    // Nobody but the sender has noticed anything.
    let told = world.take_said(1);
    assert_eq!(told.iter().filter(|it| it.0 == kind::GONE).count(), 2);
    assert!(world.said.is_empty());
}

#[test]
fn requests_need_a_bound_source() {
    let mut world = World::new();
    let generation = world.bind(1, 5);
    let mut frame = world.frame(kind::REQ, 1, 2);
    frame.src_ep = 5.into();
    frame.src_gen = generation.into();
    assert_eq!(world.send(1, &frame), Verdict::Deliver(world.port(2)));
    frame.src_gen = (generation + 1).into();
    assert_eq!(world.send(1, &frame), Verdict::Drop(Drop::UnboundSource));
    // Another VM's endpoint is none of this one's.
    let mut stolen = world.frame(kind::REQ, 3, 2);
    stolen.src_ep = 5.into();
    stolen.src_gen = generation.into();
    assert_eq!(world.send(3, &stolen), Verdict::Drop(Drop::UnboundSource));
    // Once unbound, at once.
    world.control(1, &unbind(5, generation, 2));
    frame.src_gen = generation.into();
    assert_eq!(world.send(1, &frame), Verdict::Drop(Drop::UnboundSource));
}

#[test]
fn a_refused_source_is_retried_once_for_each_progress() {
    let mut world = World::new();
    let (port, refused) = (world.port(1), world.frame(kind::MSG, 1, 2));
    let batch = |world: &mut World| {
        let _ = world.send(1, &refused);
        let _ = world.send(1, &refused);
        world.switch.batch_end(port);
        world.settle();
        world.take_said(1)
    };
    assert_eq!(batch(&mut world), [(kind::RETRY, 0)]);
    assert_eq!(batch(&mut world), []);
    assert_eq!(batch(&mut world), []);
    let answer = world.frame(kind::RPL, 1, 2);
    assert_eq!(world.send(1, &answer), Verdict::Deliver(world.port(2)));
    assert_eq!(batch(&mut world), [(kind::RETRY, 0)]);
    assert_eq!(batch(&mut world), []);
}

#[test]
fn retry_follows_room() {
    let mut world = World::new();
    let (one, two, three) = (world.port(1), world.port(2), world.port(3));
    assert!(!world.switch.wants_room(two, Class::Message));
    for from in [one, three, one] {
        world.switch.no_room(from, two, Class::Message);
    }
    world.switch.no_room(one, two, Class::Bulk);
    assert!(world.switch.wants_room(two, Class::Message));
    world.switch.room(two, Class::Message);
    world.settle();
    assert_eq!(world.take_said(1), [(kind::RETRY, 2)]);
    assert_eq!(world.take_said(3), [(kind::RETRY, 2)]);
    assert!(!world.switch.wants_room(two, Class::Message));
    assert!(world.switch.wants_room(two, Class::Bulk));
    world.switch.room(two, Class::Message);
    world.settle();
    assert!(world.said.is_empty());
}

#[test]
fn what_the_node_could_not_say_collapses() {
    let mut world = World::new();
    let two = world.port(2);
    let gone = |vm, incarnation| {
        let mut frame = Frame::from_node(kind::GONE, 2, 1);
        frame.arg = vm_and_incarnation(vm, incarnation).into();
        frame
    };
    world
        .switch
        .node_frame_lost(two, &Frame::from_node(kind::RETRY, 2, 1));
    world
        .switch
        .node_frame_lost(two, &Frame::from_node(kind::BOUND, 2, 1));
    world.switch.node_frame_lost(two, &gone(9, 5));
    world.switch.node_frame_lost(two, &gone(9, 4));
    world.switch.room(two, Class::Message);
    world.settle();
    let expected = [(kind::GONE, vm_and_incarnation(9, 5)), (kind::RETRY, 0)];
    assert_eq!(world.take_said(2), expected);
    // Very many ends collapse as well.
    for vm in 1000..2000 {
        world.switch.node_frame_lost(two, &gone(vm, 1));
    }
    world.switch.room(two, Class::Message);
    world.settle();
    let said = world.take_said(2);
    assert_eq!(said.len(), 129);
    assert_eq!(said.last(), Some(&(kind::RETRY, 0)));
}

#[test]
fn lives() {
    let mut world = World::new();
    let (one, two) = (world.port(1), world.port(2));
    world.bind(1, 5);
    let before = world.incarnation(1);
    let old = world.frame(kind::RPL, 2, 1);
    let mut new = old;
    new.dst_inc = (before + 50).into();
    world.switch.reset(one);
    world.settle();
    let now = world.incarnation(1);
    assert!(now > before);
    assert_eq!(
        world.take_said(2),
        [(kind::GONE, vm_and_incarnation(1, before))]
    );
    assert_eq!(world.switch.endpoints(one).count(), 0);
    assert_eq!(world.send(2, &old), Verdict::Drop(Drop::DestinationOver));
    assert_eq!(world.send(2, &new), Verdict::Drop(Drop::DestinationNew));
    new.dst_inc = now.into();
    assert_eq!(world.send(2, &new), Verdict::Drop(Drop::NotRunning));
    world.settle();
    assert_eq!(
        world.take_said(2),
        [(kind::GONE, vm_and_incarnation(1, before))]
    );
    world.switch.started(one);
    world.settle();
    assert_eq!(world.take_said(2), [(kind::RETRY, 1)]);
    assert_eq!(world.send(2, &new), Verdict::Deliver(one));
    // A frame of the old life.
    let mut ghost = world.frame(kind::RPL, 1, 2);
    ghost.src_inc = before.into();
    assert_eq!(world.send(1, &ghost), Verdict::Drop(Drop::SourceOver));
    world.switch.detach(one);
    world.settle();
    assert!(world.switch.port_of(1).is_none());
    assert_eq!(world.send(2, &new), Verdict::Drop(Drop::NoSuchVm));
    world.said.clear();
    // Its number is used again; nothing of the old one sticks to it.
    let again = world.add(VmAttributes::new(7, 0));
    assert_eq!(again, one);
    assert!(!world.switch.wants_room(two, Class::Message));
}

#[test]
fn reset_before_driving_changes_nothing() {
    let mut world = World::empty();
    world.switch.attach(VmAttributes::new(1, 0)).unwrap();
    world.settle();
    let port = world.port(1);
    world.switch.connected(port);
    world.settle();
    let life = world.incarnation(1);
    world.switch.reset(port);
    world.settle();
    assert_eq!(world.incarnation(1), life);
    let begun = |it: &&Action| **it == Action::Begun(port);
    assert_eq!(world.others.iter().filter(begun).count(), 2);
}

#[test]
fn attaching_is_checked() {
    let mut world = World::new();
    let taken = world.switch.attach(VmAttributes::new(1, 0)).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "VM 1 is attached already; choose another id or detach it first"
    );
    let zero = world.switch.attach(VmAttributes::new(0, 0)).unwrap_err();
    assert!(zero.to_string().contains("VM id 0 is reserved"));
    let mut other = VmAttributes::new(8, 0);
    other.dc = Some(DcAttributes {
        nr_procs: 100,
        ..DcAttributes::default()
    });
    world.switch.attach(other).unwrap();
    world.settle();
    assert!(matches!(
        world.others.last(),
        Some(Action::NotAttached(
            8,
            DirectoryError::DcDiffers { dcid: 0, .. }
        ))
    ));
    for vm in 10..14 {
        world.switch.attach(VmAttributes::new(vm, 0)).unwrap();
    }
    let full = world.switch.attach(VmAttributes::new(14, 0)).unwrap_err();
    assert_eq!(full, AttachError::TooMany(8));
}

#[path = "control_test.rs"]
mod control_tests;

#[path = "hands_test.rs"]
mod hands_tests;

#[path = "rights_test.rs"]
mod rights_tests;

#[path = "orders_test.rs"]
mod orders_tests;

#[path = "survey_test.rs"]
mod survey_tests;
