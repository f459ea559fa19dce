//! Whatever is bound, unbound, granted and waited for in whatever order: frames go by what was
//! granted last, and whoever waits for an endpoint is told once, and only then.

use super::*;
use crate::directory::Directory;
use crate::directory::local::Local;
use crate::frame::{Class, ControlRequest, ControlStatus, result};
use crate::privileges::{LEVEL_TASK, Privileges};
use crate::testing::{await_bound, bind, forget, privilege, unbind};
use proptest::prelude::*;
use zerocopy::FromZeros;

const VMS: u32 = 3;
/// VM 1 administers, VM 3 is alone in its DC.
const ADMIN: u32 = 1;

#[derive(Debug, Clone)]
enum Event {
    Bind(u32, i32),
    Unbind(u32, i32),
    Privilege(u32, i32, Privileges),
    Await(u32, i32, u64),
    Forget(u32, u64),
    Frame(u32, u32, u8, i32, i32),
    Reset(u32),
    /// The directory answers what it was asked.
    Answer,
    NodeRestart,
}

fn event() -> impl Strategy<Value = Event> {
    let vm = 1..=VMS;
    let number = prop::sample::select(vec![-1, 0, 29, 30, 31]);
    let rights = (
        prop::sample::select(vec![0, u64::MAX, 1 << 2, 1 << 5]),
        any::<u64>(),
    );
    let rights = (rights, 0..=LEVEL_TASK).prop_map(|((calls, ipc_to), level)| Privileges {
        calls,
        ipc_to,
        level,
    });
    let kinds = prop::sample::select(vec![kind::MSG, kind::REQ, kind::NTF, kind::COPY_IN]);
    prop_oneof![
        6 => (vm.clone(), number.clone()).prop_map(|(vm, it)| Event::Bind(vm, it)),
        2 => (vm.clone(), number.clone()).prop_map(|(vm, it)| Event::Unbind(vm, it)),
        4 => (vm.clone(), number.clone(), rights).prop_map(|(vm, it, rights)| Event::Privilege(vm, it, rights)),
        4 => (vm.clone(), number.clone(), 0..6u64).prop_map(|(vm, it, nonce)| Event::Await(vm, it, nonce)),
        1 => (vm.clone(), 0..6u64).prop_map(|(vm, nonce)| Event::Forget(vm, nonce)),
        8 => (vm.clone(), vm.clone(), kinds, number.clone(), number)
            .prop_map(|(from, to, kind, src, dst)| Event::Frame(from, to, kind, src, dst)),
        1 => vm.prop_map(Event::Reset),
        6 => Just(Event::Answer),
        1 => Just(Event::NodeRestart),
    ]
}

struct Model {
    switch: Switch,
    directory: Local,
    /// What each bound endpoint may do, as the guests were told: VM, number.
    rights: BTreeMap<(u32, i32), (u32, Privileges)>,
    /// PRIVILEGE requests on their way, by VM and nonce.
    asked: BTreeMap<(u32, u64), Privileges>,
    /// Who waits for what: VM and nonce.
    awaiting: BTreeMap<(u32, u64), i32>,
    /// Nonce of the last wait in each of the few places that events name. A nonce never comes again.
    slots: BTreeMap<(u32, u64), u64>,
    nonce: u64,
}

impl Model {
    fn new() -> Model {
        let mut model = Model {
            switch: Switch::new(VMS as usize),
            directory: Local::in_memory(),
            rights: BTreeMap::new(),
            asked: BTreeMap::new(),
            awaiting: BTreeMap::new(),
            slots: BTreeMap::new(),
            nonce: 1000,
        };
        for vm in 1..=VMS {
            let attributes = VmAttributes {
                admin: vm == ADMIN,
                ..VmAttributes::new(vm, Model::dc(vm))
            };
            model.switch.attach(attributes).unwrap();
            model.settle();
            model.start(vm);
        }
        model
    }

    fn dc(vm: u32) -> u32 {
        u32::from(vm == VMS)
    }

    fn port(&self, vm: u32) -> PortId {
        self.switch.port_of(vm).unwrap()
    }

    fn start(&mut self, vm: u32) {
        self.switch.connected(self.port(vm));
        self.settle();
        self.switch.started(self.port(vm));
        self.settle();
    }

    /// Carries out what the switch asks; the directory does not answer yet.
    fn act(&mut self) {
        while let Some(action) = self.switch.next_action() {
            match action {
                Action::Ask(id, request) => self.directory.submit(id, request),
                Action::Say(to, frame) => self.told(to, &frame),
                _ => {}
            }
        }
    }

    fn settle(&mut self) {
        self.act();
        while let Some((id, answer)) = self.directory.next_answer() {
            self.switch.answer(id, answer);
            self.act();
        }
    }

    fn told(&mut self, to: PortId, frame: &Frame) {
        let vm = self.switch.attributes(to).unwrap().vm;
        let (nonce, number) = (frame.op.get(), frame.dst_ep.get());
        let (generation, done) = (frame.dst_gen.get(), frame.result.get() == result::OK);
        let dc = self.switch.dc(to).unwrap().clone();
        match frame.kind {
            kind::BOUND if done => {
                let default = (generation, Privileges::of_number(&dc, number));
                let known = self.rights.entry((vm, number)).or_insert(default);
                assert_eq!(known.0, generation);
            }
            kind::PRIVILEGED => {
                let rights = self.asked.remove(&(vm, nonce)).unwrap();
                assert_eq!(done, vm == ADMIN && self.rights.contains_key(&(vm, number)));
                if let Some(known) = self.rights.get_mut(&(vm, number)).filter(|_| done) {
                    assert_eq!(known.0, generation);
                    known.1 = rights;
                }
            }
            kind::FOUND => {
                assert!(done);
                assert_eq!(self.awaiting.remove(&(vm, nonce)), Some(number));
            }
            _ => {}
        }
    }

    fn control(&mut self, vm: u32, request: &ControlRequest) -> bool {
        let status = self.switch.control(self.port(vm), request);
        self.act();
        status == ControlStatus::Accepted
    }

    fn run(&mut self, event: &Event) {
        self.nonce += 1;
        let nonce = self.nonce;
        match *event {
            Event::Bind(vm, number) => {
                self.control(vm, &bind(number, nonce));
            }
            Event::Unbind(vm, number) => {
                // A driver unbinds what it has; nothing else of it is on its way then.
                self.settle();
                if self.rights.remove(&(vm, number)).is_some() {
                    self.control(vm, &unbind(number, 0, nonce));
                    self.settle();
                }
            }
            Event::Privilege(vm, number, rights) => {
                self.settle();
                self.asked.insert((vm, nonce), rights);
                assert!(self.control(vm, &privilege(number, 0, &rights, nonce)));
                self.settle();
            }
            Event::Await(vm, number, slot) => {
                let last = self.slots.get(&(vm, slot)).copied().unwrap_or(nonce);
                if let Some(&number) = self.awaiting.get(&(vm, last)) {
                    self.control(vm, &await_bound(number, last));
                } else {
                    self.slots.insert((vm, slot), nonce);
                    self.awaiting.insert((vm, nonce), number);
                    if !self.control(vm, &await_bound(number, nonce)) {
                        self.awaiting.remove(&(vm, nonce));
                    }
                }
            }
            Event::Forget(vm, slot) => {
                let last = self.slots.get(&(vm, slot)).copied().unwrap_or(nonce);
                self.control(vm, &forget(last));
                // A result may have been on its way.
                self.settle();
                self.awaiting.remove(&(vm, last));
            }
            Event::Frame(from, to, kind, src, dst) => self.frame(from, to, kind, src, dst),
            Event::Reset(vm) => self.reset(vm),
            Event::Answer => {
                if let Some((id, answer)) = self.directory.next_answer() {
                    self.switch.answer(id, answer);
                }
            }
            Event::NodeRestart => self.restart(),
        }
        self.act();
    }

    fn reset(&mut self, vm: u32) {
        self.settle();
        self.rights.retain(|it, _| it.0 != vm);
        self.awaiting.retain(|it, _| it.0 != vm);
        self.switch.stopped(self.port(vm));
        self.switch.reset(self.port(vm));
        self.settle();
        self.switch.started(self.port(vm));
        self.settle();
    }

    /// The guests ask again for what they wait for.
    fn restart(&mut self) {
        self.settle();
        self.switch = Switch::new(VMS as usize);
        for seen in self.directory.records() {
            self.switch.restore(seen).unwrap();
        }
        for vm in 1..=VMS {
            self.start(vm);
        }
        for ((vm, nonce), number) in self.awaiting.clone() {
            self.control(vm, &await_bound(number, nonce));
        }
    }

    fn frame(&mut self, from: u32, to: u32, kind: u8, src: i32, dst: i32) {
        self.settle();
        let inc = |vm| self.switch.incarnation(self.port(vm)).unwrap_or(0);
        let rights = self.rights.get(&(from, src)).copied();
        let frame = Frame {
            kind,
            src_vm: from.into(),
            src_inc: inc(from).into(),
            dst_vm: to.into(),
            dst_inc: inc(to).into(),
            src_ep: src.into(),
            src_gen: rights.map_or(1, |it| it.0).into(),
            dst_ep: dst.into(),
            ..Frame::new_zeroed()
        };
        let verdict = self
            .switch
            .frame(self.port(from), &frame, Class::Message, 0);
        let dc = DcAttributes::default();
        let allowed = rights.map(|(_, rights)| rights.check(&dc, kind, dst).is_ok());
        let reachable = from != to && Model::dc(from) == Model::dc(to);
        let delivered = matches!(verdict, Verdict::Deliver(_));
        assert_eq!(delivered, reachable && allowed == Some(true), "{verdict:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn rights_and_waiting(events in prop::collection::vec(event(), 1..150)) {
        let mut model = Model::new();
        for event in &events {
            model.run(event);
        }
        model.settle();
        for (&(vm, nonce), number) in &model.awaiting {
            let bound = model.rights.keys().any(|it| {
                it.1 == *number && Model::dc(it.0) == Model::dc(vm)
            });
            prop_assert!(!bound, "VM {vm} waits for {number} by {nonce}, which is bound");
        }
        for port in model.switch.ports.iter().flatten() {
            let expected = model.awaiting.keys().filter(|it| it.0 == port.attributes.vm);
            prop_assert_eq!(port.awaiting.len(), expected.count());
        }
    }
}
