//! Whatever happens in whatever order: what must never happen, and what must happen in the end.

use super::*;
use crate::directory::Directory;
use crate::directory::local::Local;
use crate::frame::{Class, class_of, is_request, vm_and_incarnation};
use crate::testing::{bind, lookup, unbind};
use proptest::prelude::*;
use std::collections::BTreeSet;
use zerocopy::FromZeros;

const VMS: u32 = 5;

#[derive(Debug, Clone)]
enum Event {
    Frame {
        from: u32,
        src: u32,
        src_age: u32,
        to: u32,
        dst_age: u32,
        kind: u8,
        endpoint: i32,
        stale: bool,
        bulk: bool,
        burst: u8,
    },
    Bind(u32, i32, u64),
    Unbind(u32, i32),
    Lookup(u32, i32),
    /// Frames that the receive ring of a class can take from now on.
    Room(u32, bool, u8),
    Start(u32),
    Stop(u32),
    Connect(u32),
    Disconnect(u32),
    Reset(u32),
    Detach(u32),
    Attach(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let vm = 1..=VMS;
    let endpoint = -2..4i32;
    let kinds = prop::sample::select(vec![2u8, 16, 32, 33, 34, 40, 57, 60, 64, 99]);
    let frame = (
        (vm.clone(), 0..40u32, 0..10u32),
        (0..=VMS + 1, 0..10u32, kinds),
        (endpoint.clone(), any::<bool>(), any::<bool>(), 1..6u8),
    );
    prop_oneof![
        10 => frame.prop_map(|((from, src, src_age), (to, dst_age, kind), (endpoint, stale, odd, burst))| {
            let right = class_of(kind) == Some(Class::Bulk);
            Event::Frame {
                from,
                // Now and then somebody else.
                src: if src <= VMS { src } else { from },
                src_age: src_age.saturating_sub(8),
                to,
                dst_age: dst_age.saturating_sub(7),
                kind,
                endpoint,
                stale: stale && odd,
                bulk: right ^ (odd && burst == 5),
                burst,
            }
        }),
        4 => (vm.clone(), endpoint.clone(), 0..2u64).prop_map(|(vm, it, nonce)| Event::Bind(vm, it, nonce)),
        1 => (vm.clone(), endpoint.clone()).prop_map(|(vm, it)| Event::Unbind(vm, it)),
        1 => (vm.clone(), endpoint).prop_map(|(vm, it)| Event::Lookup(vm, it)),
        4 => (vm.clone(), any::<bool>(), 0..4u8).prop_map(|(vm, bulk, room)| Event::Room(vm, bulk, room)),
        4 => vm.clone().prop_map(Event::Start),
        1 => vm.clone().prop_map(Event::Stop),
        3 => vm.clone().prop_map(Event::Connect),
        1 => vm.clone().prop_map(Event::Disconnect),
        1 => vm.clone().prop_map(Event::Reset),
        1 => vm.clone().prop_map(Event::Detach),
        1 => vm.prop_map(Event::Attach),
    ]
}

/// What surrounds the switch: rings with a number of free buffers, and what is expected.
struct Model {
    switch: Switch,
    directory: Local,
    room: BTreeMap<u32, [u8; 2]>,
    connected: BTreeSet<u32>,
    running: BTreeSet<u32>,
    /// Sender and receiver of frames that were dropped and may be sent again.
    owed: BTreeSet<(u32, u32)>,
    /// Lives that were told to be over, by whom they were told to.
    over: BTreeSet<(u32, u64)>,
}

impl Model {
    fn new() -> Model {
        let mut model = Model {
            switch: Switch::new(VMS as usize),
            directory: Local::in_memory(),
            room: BTreeMap::new(),
            connected: BTreeSet::new(),
            running: BTreeSet::new(),
            owed: BTreeSet::new(),
            over: BTreeSet::new(),
        };
        for vm in 1..=VMS {
            model.run(&Event::Attach(vm));
            model.run(&Event::Connect(vm));
            model.run(&Event::Start(vm));
            model.run(&Event::Bind(vm, vm as i32 - 2, 0));
        }
        model
    }

    fn dc(vm: u32) -> u32 {
        u32::from(vm == VMS)
    }

    fn port(&self, vm: u32) -> Option<PortId> {
        self.switch.port_of(vm)
    }

    fn take_room(&mut self, vm: u32, class: Class) -> bool {
        let room = self.room.entry(vm).or_insert([4; 2]);
        let free = &mut room[class.index()];
        let fits = self.running.contains(&vm) && *free > 0;
        *free -= u8::from(fits);
        fits
    }

    fn settle(&mut self) {
        loop {
            while let Some(action) = self.switch.next_action() {
                match action {
                    Action::Ask(id, request) => self.directory.submit(id, request),
                    Action::Say(to, frame) => self.say(to, &frame),
                    _ => {}
                }
            }
            match self.directory.next_answer() {
                Some((id, answer)) => self.switch.answer(id, answer),
                None => break,
            }
        }
        self.check_bounds();
    }

    fn say(&mut self, to: PortId, frame: &Frame) {
        let Some(vm) = self.switch.attributes(to).map(|it| it.vm) else {
            return;
        };
        if !self.take_room(vm, Class::Message) {
            self.switch.node_frame_lost(to, frame);
            return;
        }
        let arg = frame.arg.get();
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).unwrap();
        let (other, incarnation) = (low(arg), low(arg >> 32));
        match frame.kind {
            kind::RETRY if arg == 0 => self.owed.retain(|it| it.0 != vm),
            kind::RETRY => self.owed.retain(|it| *it != (vm, other)),
            kind::GONE => {
                self.owed.retain(|it| *it != (vm, other));
                self.over.insert((vm, arg));
                // In the same DC it is true; other DCs do not exist for this VM.
                if Model::dc(other) == Model::dc(vm) {
                    let port = self.port(other);
                    let alive = port.and_then(|it| self.switch.incarnation(it));
                    assert_ne!(alive, Some(incarnation), "GONE of a life that goes on");
                }
            }
            _ => {}
        }
    }

    fn check_bounds(&self) {
        assert!(self.switch.pending.is_empty() && self.switch.joining.is_empty());
        assert!(self.switch.ports.len() <= VMS as usize);
        for port in self.switch.ports.iter().flatten() {
            assert!(port.peers.len() <= port.attributes.limits.max_peers as usize);
            assert!(port.owed.iter().all(|it| it.len() <= VMS as usize));
            assert!(port.bound.len() <= port.attributes.limits.max_endpoints as usize);
            assert_eq!((port.asked, port.binding), (0, 0));
        }
    }

    fn end_of(&mut self, vm: u32) {
        self.running.remove(&vm);
        self.owed.retain(|it| it.0 != vm);
    }

    fn frames(&mut self, event: &Event) {
        let Event::Frame {
            from,
            src,
            src_age,
            to,
            dst_age,
            kind,
            endpoint,
            stale,
            bulk,
            burst,
        } = *event
        else {
            return;
        };
        let Some(port) = self.port(from).filter(|_| self.running.contains(&from)) else {
            return;
        };
        let life = |vm| {
            let port = self.port(vm)?;
            self.switch.incarnation(port)
        };
        let bound = self.switch.endpoints(port).find(|it| it.number == endpoint);
        let generation = bound.map_or(0, |it| it.generation) + u32::from(stale);
        let frame = Frame {
            kind,
            src_vm: src.into(),
            src_inc: life(src).unwrap_or(1).saturating_sub(src_age).into(),
            dst_vm: to.into(),
            dst_inc: life(to).unwrap_or(1).saturating_sub(dst_age).into(),
            src_ep: endpoint.into(),
            src_gen: generation.into(),
            ..Frame::new_zeroed()
        };
        let class = if bulk { Class::Bulk } else { Class::Message };
        for _ in 0..burst {
            self.one_frame(from, port, &frame, class);
        }
        self.switch.batch_end(port);
    }

    fn one_frame(&mut self, from: u32, port: PortId, frame: &Frame, class: Class) {
        let to = frame.dst_vm.get();
        match self.switch.frame(port, frame, class, 0) {
            Verdict::Deliver(id) => {
                let alive = |vm| self.port(vm).and_then(|it| self.switch.incarnation(it));
                assert_eq!(self.port(to), Some(id));
                assert_eq!(Model::dc(from), Model::dc(to), "to another DC");
                assert_eq!(frame.src_vm.get(), from, "forged");
                assert_eq!(Some(frame.src_inc.get()), alive(from));
                assert_eq!(Some(frame.dst_inc.get()), alive(to));
                assert_eq!(class_of(frame.kind), Some(class));
                let gone = vm_and_incarnation(to, frame.dst_inc.get());
                assert!(!self.over.contains(&(from, gone)), "after GONE");
                if is_request(frame.kind) {
                    let mut bound = self.switch.endpoints(port);
                    assert!(bound.any(|it| it.number == frame.src_ep.get()
                        && it.generation == frame.src_gen.get()));
                }
                if !self.take_room(to, class) {
                    self.switch.no_room(port, id, class);
                    self.owed.insert((from, to));
                }
            }
            Verdict::Tell => panic!("nobody tells anything"),
            Verdict::Drop(Drop::NotRunning) => {
                self.owed.insert((from, to));
            }
            Verdict::Forward(..) => panic!("there is no other node"),
            Verdict::Drop(_) => {}
        }
    }

    fn run(&mut self, event: &Event) {
        match *event {
            Event::Frame { .. } => self.frames(event),
            Event::Bind(vm, number, nonce) => self.control(vm, &bind(number, nonce)),
            Event::Unbind(vm, number) => {
                let bound = self.port(vm).and_then(|port| {
                    let mut endpoints = self.switch.endpoints(port);
                    endpoints.find(|it| it.number == number)
                });
                let generation = bound.map_or(1, |it| it.generation);
                self.control(vm, &unbind(number, generation, 0));
            }
            Event::Lookup(vm, number) => self.control(vm, &lookup(number, 0)),
            Event::Room(vm, bulk, room) => self.make_room(vm, bulk, room),
            Event::Start(vm) => self.start(vm),
            Event::Stop(vm) => {
                if let Some(port) = self.port(vm).filter(|_| self.running.remove(&vm)) {
                    self.switch.stopped(port);
                }
            }
            Event::Connect(vm) => {
                if let Some(port) = self.port(vm).filter(|_| self.connected.insert(vm)) {
                    self.switch.connected(port);
                }
            }
            Event::Disconnect(vm) => {
                if let Some(port) = self.port(vm).filter(|_| self.connected.remove(&vm)) {
                    self.end_of(vm);
                    self.switch.disconnected(port);
                }
            }
            Event::Reset(vm) => {
                let connected = self.connected.contains(&vm);
                if let Some(port) = self.port(vm).filter(|_| connected) {
                    self.running.remove(&vm);
                    self.switch.stopped(port);
                    if self.switch.has_driven(port) {
                        self.end_of(vm);
                    }
                    self.switch.reset(port);
                }
            }
            Event::Detach(vm) => {
                if let Some(port) = self.port(vm) {
                    self.end_of(vm);
                    self.connected.remove(&vm);
                    self.switch.detach(port);
                }
            }
            Event::Attach(vm) => {
                let _ = self.switch.attach(VmAttributes::new(vm, Model::dc(vm)));
            }
        }
        self.settle();
    }

    fn start(&mut self, vm: u32) {
        let connected = self.connected.contains(&vm);
        let port = self.port(vm).filter(|_| connected);
        if let Some(port) = port.filter(|_| self.running.insert(vm)) {
            self.switch.started(port);
        }
    }

    fn control(&mut self, vm: u32, request: &crate::frame::ControlRequest) {
        if let Some(port) = self.port(vm).filter(|_| self.running.contains(&vm)) {
            let _ = self.switch.control(port, request);
        }
    }

    fn make_room(&mut self, vm: u32, bulk: bool, room: u8) {
        let class = if bulk { Class::Bulk } else { Class::Message };
        self.room.entry(vm).or_insert([4; 2])[class.index()] = room;
        let Some(port) = self.port(vm).filter(|_| room > 0) else {
            return;
        };
        if self.switch.wants_room(port, class) {
            self.switch.room(port, class);
        }
    }

    /// In the end everybody runs and has room.
    fn calm_down(&mut self) {
        for vm in 1..=VMS {
            self.run(&Event::Connect(vm));
            self.run(&Event::Start(vm));
        }
        for vm in (1..=VMS).chain(1..=VMS) {
            self.run(&Event::Room(vm, false, 200));
            self.run(&Event::Room(vm, true, 200));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens(events in prop::collection::vec(event(), 1..120)) {
        let mut model = Model::new();
        for event in &events {
            model.run(event);
        }
        model.calm_down();
        let left: Vec<_> = model.owed.iter().filter(|it| model.port(it.0).is_some()).collect();
        prop_assert!(left.is_empty(), "no RETRY and no GONE for {left:?}");
    }

    #[test]
    fn the_same_again(events in prop::collection::vec(event(), 1..60)) {
        let run = || {
            let mut model = Model::new();
            for event in &events {
                model.run(event);
            }
            format!("{:?}", model.switch)
        };
        prop_assert_eq!(run(), run());
    }
}
