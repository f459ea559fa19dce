//! The switch of one node, while VMs come and go; the test is the directory.

mod arrival;
mod departure;
mod given_up;

use super::*;
use crate::directory::{
    Answer, BoundRecord, Lease, Lives, Location, News, NodeId, RequestId, Start, VmRecord,
};
use crate::frame::{Class, ControlStatus, Frame, VM_NODE, kind, vm_and_incarnation};
use crate::switch::peer::{Notice, Stamp};
use crate::switch::{AttachError, Drop, Verdict};
use crate::testing::bind;
use crate::vm::{DcAttributes, VmAttributes};

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const THIRD: NodeId = NodeId(3);

/// The switch of node 1 with VMs 1 and 2, each in life and epoch 10 and 11; the test is the
/// directory, and VM 9 lives at node 2 in life 4 and epoch 6.
struct World {
    switch: Switch,
    said: Vec<(u32, u8, u64)>,
    notices: Vec<(NodeId, Notice)>,
    asked: Vec<(RequestId, Request)>,
    settled: Vec<(u64, Settled)>,
    others: Vec<Action>,
    life: u32,
    ticket: u64,
}

const fn place(node: NodeId, epoch: u32, incarnation: u32) -> Place {
    Place {
        node,
        epoch,
        incarnation,
    }
}

const fn at(place: Place) -> Location {
    Location {
        incarnation: place.incarnation,
        node: place.node,
        epoch: place.epoch,
        dcid: 0,
    }
}

fn alive(place: Place) -> Lives {
    Lives {
        last: place.incarnation,
        current: Some(at(place)),
    }
}

const NINE: Place = place(OTHER, 6, 4);
const NINE_HERE: Place = place(ME, 7, 4);

/// What is seen of a VM with endpoint 30, in generation 3.
fn seen(vm: u32, place: Place, goes_on: bool) -> Box<Seen> {
    let endpoint = BoundRecord {
        number: 30,
        generation: 3,
        nonce: 5,
        privileges: None,
        offered: false,
    };
    let record = VmRecord {
        attributes: VmAttributes::new(vm, 0),
        dc: DcAttributes::default(),
        life: goes_on.then_some(at(place)),
        driving: true,
        start: Start::Made,
        endpoints: vec![endpoint],
    };
    Box::new(Seen { place, record })
}

fn answered(vm: u32, place: Place) -> Answer {
    Answer::Seen(Ok(Some(seen(vm, place, true))))
}

/// The same of a VM that has not run since it was taken.
fn came(vm: u32, place: Place) -> Answer {
    let mut seen = seen(vm, place, true);
    seen.record.start = Start::Awaited;
    Answer::Seen(Ok(Some(seen)))
}

fn awaited(place: Place) -> Settled {
    let start = Start::Awaited;
    Ok(Some(Residence { place, start }))
}

impl World {
    fn new() -> World {
        let mut world = World {
            switch: Switch::new(4).with_nodeid(ME.0).with_cluster(),
            said: Vec::new(),
            notices: Vec::new(),
            asked: Vec::new(),
            settled: Vec::new(),
            others: Vec::new(),
            life: 9,
            ticket: 0,
        };
        world.switch.news(News::Lease(Lease::Held));
        for node in [OTHER, THIRD] {
            let address = String::new();
            world.switch.news(News::Node { node, address });
            world.switch.link_up(node);
        }
        for vm in [1, 2] {
            world.switch.attach(VmAttributes::new(vm, 0)).unwrap();
            world.settle();
            world.run(vm);
        }
        world.forget();
        world
    }

    fn run(&mut self, vm: u32) {
        let id = self.port(vm);
        self.switch.connected(id);
        self.settle();
        self.switch.started(id);
        self.settle();
    }

    fn forget(&mut self) {
        self.settle();
        self.said.clear();
        self.notices.clear();
        self.settled.clear();
        self.others.clear();
    }

    fn settle(&mut self) {
        while let Some(action) = self.switch.next_action() {
            match action {
                Action::Say(to, frame) => {
                    let vm = self.switch.attributes(to).unwrap().vm;
                    self.said.push((vm, frame.kind, frame.arg.get()));
                }
                Action::Notify(node, notice) => self.notices.push((node, notice)),
                Action::Ask(id, Request::Join(_)) => {
                    let joined = Answer::Joined(Ok(DcAttributes::default()));
                    self.switch.answer(id, joined);
                }
                Action::Ask(id, Request::Begin { .. }) => {
                    self.life += 1;
                    let life = at(place(ME, self.life, self.life));
                    self.switch.answer(id, Answer::Begun(Ok(life)));
                }
                Action::Ask(id, Request::Driving(_)) => {
                    self.switch.answer(id, Answer::Done(Ok(())));
                }
                Action::Ask(id, request) => self.asked.push((id, request)),
                Action::Settled(ticket, settled) => self.settled.push((ticket.0, settled)),
                other => self.others.push(other),
            }
        }
    }

    /// Asks for a move, and gives what it comes to if that is said at once.
    fn ask(&mut self, request: MoveRequest) -> Option<Settled> {
        self.ticket += 1;
        self.switch.request_move(Ticket(self.ticket), request);
        self.settle();
        let place = self.settled.iter().position(|it| it.0 == self.ticket)?;
        Some(self.settled.remove(place).1)
    }

    /// Answers the oldest question, which is this one.
    fn answer(&mut self, question: &Request, answer: Answer) {
        self.settle();
        let (id, request) = self.asked.remove(0);
        assert_eq!(request, *question);
        self.switch.answer(id, answer);
        self.settle();
    }

    /// The directory says where the VM lives, as it was asked.
    fn located(&mut self, vm: u32, lives: Lives) {
        self.answer(&Request::Locate { vm }, Answer::Located(lives));
    }

    fn prepare(&mut self) -> PortId {
        let asked = self.ask(MoveRequest::Prepare { vm: 9, place: NINE });
        assert_eq!(asked, None);
        self.answer(&Request::Look { vm: 9 }, answered(9, NINE));
        assert_eq!(self.settled.pop().unwrap().1, Ok(Some(NINE.into())));
        self.switch.any_port_of(9).unwrap()
    }

    /// VM 9 is prepared and taken.
    fn taken(&mut self) -> PortId {
        let id = self.prepare();
        self.switch.connected(id);
        self.take(9, NINE);
        let take = Request::Take { vm: 9, from: NINE };
        self.answer(&take, came(9, NINE_HERE));
        id
    }

    /// The record of VM 9 is to say that it has not run here.
    fn has_declined(&mut self) {
        let declined = Request::Started {
            vm: 9,
            epoch: 7,
            start: Start::Declined,
        };
        self.answer(&declined, Answer::Done(Ok(())));
    }

    fn take(&mut self, vm: u32, from: Place) {
        assert_eq!(self.ask(MoveRequest::Take { vm, from }), None);
    }

    fn hold(&mut self, vm: u32) -> Place {
        let place = self.ask(MoveRequest::Hold { vm }).unwrap().unwrap();
        place.unwrap().place
    }

    /// VM 1 is held, and its record is watched.
    fn held(&mut self) -> PortId {
        let place = self.hold(1);
        self.located(1, alive(place));
        self.forget();
        self.port(1)
    }

    fn port(&self, vm: u32) -> PortId {
        self.switch.any_port_of(vm).unwrap()
    }

    fn frame(from: (u32, u32), to: (u32, u32)) -> Frame {
        Frame {
            kind: kind::RPL,
            src_vm: from.0.into(),
            src_inc: from.1.into(),
            dst_vm: to.0.into(),
            dst_inc: to.1.into(),
            ..Frame::default()
        }
    }

    fn send(&mut self, from: (u32, u32), to: (u32, u32)) -> Verdict {
        let id = self.port(from.0);
        let frame = World::frame(from, to);
        let verdict = self.switch.frame(id, &frame, Class::Message, 0);
        self.settle();
        verdict
    }

    fn arrives(&mut self, node: NodeId, epochs: (u32, u32), frame: &Frame) -> Verdict {
        let stamp = Stamp {
            src_epoch: epochs.0,
            dst_epoch: epochs.1,
        };
        let class = Class::Message;
        let verdict = self.switch.remote_frame(node, stamp, frame, class, 0);
        self.settle();
        verdict
    }

    fn said(&mut self) -> Vec<(u32, u8, u64)> {
        self.settle();
        std::mem::take(&mut self.said)
    }
}

#[test]
fn a_place_is_what_the_record_says() {
    let mut world = World::new();
    let ask = MoveRequest::Place { vm: 1 };
    let here = place(ME, 10, 10);
    assert_eq!(world.ask(ask), None);
    world.answer(&Request::Look { vm: 1 }, answered(1, here));
    assert_eq!(world.settled, [(1, Ok(Some(here.into())))]);
    // Somebody else has it, or its life was given up.
    world.ask(ask);
    world.answer(&Request::Look { vm: 1 }, answered(1, place(OTHER, 11, 10)));
    world.ask(ask);
    let over = Answer::Seen(Ok(Some(seen(1, here, false))));
    world.answer(&Request::Look { vm: 1 }, over);
    world.ask(ask);
    world.answer(&Request::Look { vm: 1 }, Answer::Seen(Ok(None)));
    let said: Vec<_> = world.settled.iter().skip(1).map(|it| &it.1).collect();
    assert!(
        said.iter()
            .all(|it| matches!(it, Err(MoveError::Differs { .. })))
    );
    assert_eq!(
        said[0].as_ref().unwrap_err().to_string(),
        "VM 1 does not live where it is said to live: it is at node 2 in epoch 11"
    );
    assert_eq!(
        world.ask(MoveRequest::Place { vm: 7 }),
        Some(Err(MoveError::NoVm(7)))
    );
    world.switch.news(News::Lease(Lease::Unanswered));
    assert_eq!(world.ask(ask), Some(Err(MoveError::NoLease)));
}

#[test]
fn what_cannot_be_held_released_or_forgotten() {
    let mut world = World::new();
    let no_vm = || Some(Err(MoveError::NoVm(7)));
    assert_eq!(world.ask(MoveRequest::Hold { vm: 7 }), no_vm());
    assert_eq!(world.ask(MoveRequest::Release { vm: 7 }), no_vm());
    assert_eq!(world.ask(MoveRequest::Forget { vm: 7 }), no_vm());
    world.prepare();
    let not_here = || Some(Err(MoveError::NotHere(9)));
    assert_eq!(world.ask(MoveRequest::Hold { vm: 9 }), not_here());
    assert_eq!(world.ask(MoveRequest::Release { vm: 9 }), not_here());
    assert_eq!(world.ask(MoveRequest::Place { vm: 9 }), not_here());
    let here = Some(Err(MoveError::Here(1)));
    assert_eq!(world.ask(MoveRequest::Forget { vm: 1 }), here);
    world.switch.attach(VmAttributes::new(3, 0)).unwrap();
    world.settle();
    let no_life = Some(Err(MoveError::NoLife(3)));
    assert_eq!(world.ask(MoveRequest::Hold { vm: 3 }), no_life);
}

#[test]
fn a_host_alone_has_nowhere_to_move_to() {
    let mut switch = Switch::new(4);
    let requests = [
        MoveRequest::Place { vm: 1 },
        MoveRequest::Prepare { vm: 1, place: NINE },
        MoveRequest::Hold { vm: 1 },
        MoveRequest::Take { vm: 1, from: NINE },
        MoveRequest::Release { vm: 1 },
        MoveRequest::Forget { vm: 1 },
    ];
    for request in requests {
        switch.request_move(Ticket(1), request);
        let alone = Err(DirectoryError::Alone.into());
        assert_eq!(
            switch.next_action(),
            Some(Action::Settled(Ticket(1), alone))
        );
    }
    assert_eq!(switch.next_action(), None);
}
