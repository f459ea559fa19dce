use super::*;
use crate::directory::{
    Answer, BoundRecord, Lease, Lives, Location, News, NodeId, RequestId, VmRecord,
};
use crate::frame::{Class, ControlStatus, Frame, VM_NODE, kind, vm_and_incarnation};
use crate::switch::peer::{Notice, Stamp};
use crate::switch::{Drop, Verdict};
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
    };
    let record = VmRecord {
        attributes: VmAttributes::new(vm, 0),
        dc: DcAttributes::default(),
        life: goes_on.then_some(at(place)),
        driving: true,
        endpoints: vec![endpoint],
    };
    Box::new(Seen { place, record })
}

fn answered(vm: u32, place: Place) -> Answer {
    Answer::Seen(Ok(Some(seen(vm, place, true))))
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
        assert_eq!(self.settled.pop().unwrap().1, Ok(Some(NINE)));
        self.switch.any_port_of(9).unwrap()
    }

    /// VM 9 is prepared and taken.
    fn taken(&mut self) -> PortId {
        let id = self.prepare();
        self.switch.connected(id);
        self.take(9, NINE);
        let take = Request::Take { vm: 9, from: NINE };
        self.answer(&take, answered(9, NINE_HERE));
        id
    }

    fn take(&mut self, vm: u32, from: Place) {
        assert_eq!(self.ask(MoveRequest::Take { vm, from }), None);
    }

    fn hold(&mut self, vm: u32) -> Place {
        let place = self.ask(MoveRequest::Hold { vm }).unwrap().unwrap();
        place.unwrap()
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
    assert_eq!(world.settled, [(1, Ok(Some(here)))]);
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
fn a_prepared_port_is_not_where_the_vm_is() {
    let mut world = World::new();
    let id = world.prepare();
    let attached = [Action::Attached(9, id), Action::Orphaned(id)];
    assert_eq!(world.others, attached);
    assert_eq!(world.switch.port_of(9), None);
    // Its VMM connects, and no life begins; its rings are not used.
    world.switch.connected(id);
    world.settle();
    assert_eq!(world.others.pop(), Some(Action::Begun(id)));
    assert!(!world.switch.may_run(id));
    world.switch.started(id);
    world.switch.reset(id);
    assert_eq!(world.said(), []);
    assert!(world.asked.is_empty());
    assert_eq!(world.send((9, 4), (1, 10)), Verdict::Drop(Drop::Held));
    // Frames for it go to where it lives.
    assert_eq!(world.send((1, 10), (9, 4)), Verdict::Drop(Drop::Looking));
    world.located(9, alive(NINE));
    let there = world.send((1, 10), (9, 4));
    assert!(matches!(there, Verdict::Forward(OTHER, _)));
    // Nothing is said of it when its VMM goes.
    world.forget();
    world.switch.disconnected(id);
    world.settle();
    assert_eq!(world.others, [Action::Orphaned(id)]);
    world.switch.abandon(id);
    world.settle();
    assert_eq!(world.others.pop(), Some(Action::Removed(id)));
    assert!(world.asked.is_empty() && world.said().is_empty());
}

#[test]
fn what_cannot_be_prepared() {
    let mut world = World::new();
    let prepare = |vm, place| MoveRequest::Prepare { vm, place };
    let in_use = |vm| Some(Err(DirectoryError::VmInUse(vm).into()));
    assert_eq!(world.ask(prepare(1, NINE)), in_use(1));
    assert_eq!(world.ask(prepare(9, NINE_HERE)), in_use(9));
    // The record says another epoch, another life, or that it is over.
    for wrong in [
        seen(9, place(OTHER, 7, 4), true),
        seen(9, place(OTHER, 6, 5), true),
        seen(9, NINE, false),
    ] {
        world.ask(prepare(9, NINE));
        let answer = Answer::Seen(Ok(Some(wrong)));
        world.answer(&Request::Look { vm: 9 }, answer);
        let settled = world.settled.pop().unwrap().1;
        assert!(matches!(settled, Err(MoveError::Differs { .. })));
    }
    // Again is allowed until a VMM is connected.
    let id = world.prepare();
    assert_eq!(world.prepare(), id);
    world.switch.connected(id);
    let occupied = Some(Err(MoveError::Occupied(9)));
    assert_eq!(world.ask(prepare(9, NINE)), occupied);
    let attach = world.switch.attach(VmAttributes::new(9, 0));
    assert_eq!(attach, Err(DirectoryError::VmInUse(9).into()));
    // A port that is prepared is a port.
    for vm in [7, 8] {
        world.ask(prepare(vm, NINE));
        if !world.asked.is_empty() {
            world.answer(&Request::Look { vm }, answered(vm, NINE));
        }
    }
    assert_eq!(
        world.settled.last().unwrap().1,
        Err(AttachError::TooMany(4).into())
    );
    world.switch.news(News::Lease(Lease::Doubtful));
    assert_eq!(world.ask(prepare(5, NINE)), Some(Err(MoveError::NoLease)));
}

#[test]
fn a_vm_that_was_taken_lives_here() {
    let mut world = World::new();
    let _ = world.send((1, 10), (9, 4));
    world.located(9, alive(NINE));
    let _ = world.send((1, 10), (9, 4));
    world.forget();
    let id = world.taken();
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(NINE_HERE)));
    assert!(world.others.contains(&Action::Carries(id)));
    assert_eq!(world.switch.port_of(9), Some(id));
    assert_eq!(world.switch.incarnation(id), Some(4));
    assert_eq!(world.switch.epoch(id), Some(7));
    let endpoints: Vec<_> = world.switch.endpoints(id).collect();
    assert_eq!((endpoints[0].number, endpoints[0].generation), (30, 3));
    // Nobody hears anything before it runs, and then those who have sent to it.
    assert_eq!(world.said(), []);
    assert_eq!(world.send((2, 11), (9, 4)), Verdict::Drop(Drop::NotRunning));
    world.switch.started(id);
    let retry = |to, vm: u32| (to, kind::RETRY, u64::from(vm));
    assert_eq!(world.said(), [retry(9, VM_NODE), retry(1, 9), retry(2, 9)]);
    assert_eq!(world.send((1, 10), (9, 4)), Verdict::Deliver(id));
    let to = world.port(1);
    assert_eq!(world.send((9, 4), (1, 10)), Verdict::Deliver(to));
    // It was driven, so a reset ends this life.
    assert!(world.switch.has_driven(id));
}

#[test]
fn who_loses_tells_where_it_is() {
    let mut world = World::new();
    let id = world.prepare();
    world.switch.connected(id);
    for answer in [place(THIRD, 7, 4), place(OTHER, 8, 5)] {
        world.take(9, NINE);
        world.answer(&Request::Take { vm: 9, from: NINE }, answered(9, answer));
        assert_eq!(world.settled.pop().unwrap().1, Ok(Some(answer)));
    }
    world.take(9, NINE);
    let take = Request::Take { vm: 9, from: NINE };
    world.answer(&take, Answer::Seen(Ok(None)));
    assert_eq!(world.settled.pop().unwrap().1, Ok(None));
    world.take(9, NINE);
    let broken = DirectoryError::Broken("x".to_owned());
    world.answer(&take, Answer::Seen(Err(broken.clone())));
    assert_eq!(world.settled.pop().unwrap().1, Err(broken.into()));
    assert!(!world.switch.may_run(id) && world.switch.port_of(9).is_none());
    // It may be taken yet, from where it is.
    let from = place(OTHER, 8, 5);
    world.take(9, from);
    let here = place(ME, 9, 5);
    world.answer(&Request::Take { vm: 9, from }, answered(9, here));
    assert!(world.switch.may_run(id));
}

#[test]
fn the_same_question_is_asked_once() {
    let mut world = World::new();
    world.prepare();
    for _ in 0..TICKETS_MAX + 2 {
        world.take_again();
    }
    assert_eq!(world.asked.len(), 1);
    // Only so many wait for the answer.
    assert_eq!(world.settled.len(), 2);
    let other = MoveRequest::Take {
        vm: 9,
        from: place(OTHER, 5, 4),
    };
    assert_eq!(world.ask(other), Some(Err(MoveError::Busy(9))));
    world.settled.clear();
    let take = Request::Take { vm: 9, from: NINE };
    world.answer(&take, answered(9, NINE_HERE));
    assert_eq!(world.settled.len(), TICKETS_MAX);
    let won = Ok(Some(NINE_HERE));
    assert!(world.settled.iter().all(|it| it.1 == won));
    // The same with looks.
    for _ in 0..=TICKETS_MAX {
        world.ask(MoveRequest::Place { vm: 2 });
    }
    assert_eq!(world.settled.pop().unwrap().1, Err(MoveError::Busy(2)));
}

impl World {
    fn take_again(&mut self) {
        self.ticket += 1;
        let request = MoveRequest::Take { vm: 9, from: NINE };
        self.switch.request_move(Ticket(self.ticket), request);
        self.settle();
    }
}

#[test]
fn nothing_is_carried_for_a_vm_that_is_held() {
    let mut world = World::new();
    assert_eq!(world.hold(1), place(ME, 10, 10));
    assert_eq!(world.hold(1), place(ME, 10, 10), "again");
    world.located(1, alive(place(ME, 10, 10)));
    world.located(1, alive(place(ME, 10, 10)));
    world.forget();
    let id = world.port(1);
    assert_eq!(world.switch.moving(id), Some("held"));
    assert_eq!(world.send((1, 10), (2, 11)), Verdict::Drop(Drop::Held));
    assert_eq!(
        world.send((2, 11), (1, 10)),
        Verdict::Drop(Drop::NotRunning)
    );
    let status = world.switch.control(id, &bind(30, 5));
    assert_eq!(status, ControlStatus::Busy);
    // Whatever its VMM does with its rings.
    world.switch.stopped(id);
    world.switch.started(id);
    world.switch.reset(id);
    world.settle();
    assert!(world.asked.is_empty());
    assert_eq!(world.said(), []);
    assert_eq!(world.ask(MoveRequest::Release { vm: 1 }), Some(Ok(None)));
    assert!(world.others.contains(&Action::Carries(id)));
    world.switch.started(id);
    let retries = [(1, kind::RETRY, u64::from(VM_NODE)), (2, kind::RETRY, 1)];
    assert_eq!(world.said(), retries);
    assert!(matches!(world.send((2, 11), (1, 10)), Verdict::Deliver(_)));
    // A second release changes nothing.
    assert_eq!(world.ask(MoveRequest::Release { vm: 1 }), Some(Ok(None)));
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

#[test]
fn a_vm_that_was_taken_away_is_sent_to_where_it_is() {
    let mut world = World::new();
    let id = world.held();
    let _ = world.send((2, 11), (1, 10));
    let frame = World::frame((9, 4), (1, 10));
    let _ = world.arrives(THIRD, (3, 10), &frame);
    world.located(9, alive(place(THIRD, 3, 4)));
    let _ = world.arrives(THIRD, (3, 10), &frame);
    world.forget();
    let there = place(OTHER, 11, 10);
    world.switch.news(News::Vm {
        vm: 1,
        lives: alive(there),
    });
    assert_eq!(world.said(), [(2, kind::RETRY, 1)]);
    let moved = Notice::Moved { vm: 1, epoch: 10 };
    assert_eq!(world.notices, [(THIRD, moved)]);
    assert_eq!(world.switch.port_of(1), None);
    let stamp = Stamp {
        src_epoch: 11,
        dst_epoch: 11,
    };
    let forward = Verdict::Forward(OTHER, stamp);
    assert_eq!(world.send((2, 11), (1, 10)), forward);
    assert_eq!(world.send((1, 10), (2, 11)), Verdict::Drop(Drop::Held));
    // Late frames for what was here are told so.
    world.notices.clear();
    let late = world.arrives(THIRD, (3, 10), &frame);
    assert_eq!(late, Verdict::Drop(Drop::NotHere));
    assert_eq!(world.notices, [(THIRD, moved)]);
    // Its own take loses, then it is forgotten; nothing is asked of the directory.
    world.take(1, place(ME, 10, 10));
    let from = place(ME, 10, 10);
    world.answer(&Request::Take { vm: 1, from }, answered(1, there));
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(there)));
    world.switch.disconnected(id);
    assert_eq!(world.ask(MoveRequest::Forget { vm: 1 }), Some(Ok(None)));
    assert_eq!(world.others.last(), Some(&Action::Removed(id)));
    assert!(world.asked.is_empty() && world.said().is_empty());
}

#[test]
fn a_vm_that_runs_elsewhere_already_is_heard() {
    let mut world = World::new();
    let id = world.held();
    // The new node has heard of it first.
    let frame = World::frame((1, 10), (2, 11));
    let early = world.arrives(OTHER, (11, 11), &frame);
    assert_eq!(early, Verdict::Drop(Drop::Looking));
    world.located(1, alive(place(OTHER, 11, 10)));
    assert_eq!(world.switch.moving(id), Some("elsewhere"));
    let retry = Notice::Retry { vm: 2 };
    assert_eq!(world.notices, [(OTHER, retry)]);
    let to = world.port(2);
    let again = world.arrives(OTHER, (11, 11), &frame);
    assert_eq!(again, Verdict::Deliver(to));
    // What the copy here says is of an epoch that is over, wherever it comes from.
    let stale = world.arrives(THIRD, (10, 11), &frame);
    assert_eq!(stale, Verdict::Drop(Drop::Contradicts));
}

#[test]
fn who_wins_its_own_vm_goes_on() {
    let mut world = World::new();
    let id = world.held();
    let _ = world.send((2, 11), (1, 10));
    let (from, again) = (place(ME, 10, 10), place(ME, 11, 10));
    world.take(1, from);
    world.answer(&Request::Take { vm: 1, from }, answered(1, again));
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(again)));
    world.switch.started(id);
    let retries = [(1, kind::RETRY, u64::from(VM_NODE)), (2, kind::RETRY, 1)];
    assert_eq!(world.said(), retries);
    // Others go by the old placement until they hear.
    let frame = World::frame((9, 4), (1, 10));
    let old = world.arrives(OTHER, (6, 10), &frame);
    assert_eq!(old, Verdict::Drop(Drop::NotHere));
    assert_eq!(world.switch.epoch(id), Some(11));
}

#[test]
fn nodes_that_know_of_the_move_first_are_told_when_it_runs() {
    let mut world = World::new();
    let id = world.prepare();
    world.switch.connected(id);
    world.take(9, NINE);
    let frame = World::frame((5, 3), (9, 4));
    let early = world.arrives(THIRD, (8, 7), &frame);
    assert_eq!(early, Verdict::Drop(Drop::Looking));
    // By an older placement: it is not here, and nobody said so.
    let _ = world.arrives(OTHER, (8, 5), &frame);
    let moved = Notice::Moved { vm: 9, epoch: 5 };
    assert_eq!(world.notices, [(OTHER, moved)]);
    world.forget();
    let take = Request::Take { vm: 9, from: NINE };
    world.answer(&take, answered(9, NINE_HERE));
    assert_eq!(world.notices, []);
    world.switch.started(id);
    world.settle();
    assert_eq!(world.notices, [(THIRD, Notice::Retry { vm: 9 })]);
}

#[test]
fn nodes_that_were_wrong_are_told() {
    let mut world = World::new();
    world.prepare();
    world.take(9, NINE);
    let _ = world.arrives(THIRD, (8, 7), &World::frame((5, 3), (9, 4)));
    world.forget();
    let take = Request::Take { vm: 9, from: NINE };
    world.answer(&take, answered(9, place(OTHER, 7, 4)));
    let moved = Notice::Moved { vm: 9, epoch: 7 };
    assert_eq!(world.notices, [(THIRD, moved)]);
}

#[test]
fn a_life_that_is_given_up_while_it_is_held_is_renewed_later() {
    let mut world = World::new();
    let id = world.held();
    world.switch.news(News::Lease(Lease::Lapsed));
    world.settle();
    assert_eq!(world.switch.incarnation(id), Some(10), "it may be taken");
    world.switch.news(News::Lease(Lease::Held));
    world.forget();
    world.ask(MoveRequest::Release { vm: 1 });
    assert_eq!(world.switch.incarnation(id), Some(13));
    let said = world.said();
    assert!(said.contains(&(2, kind::GONE, vm_and_incarnation(1, 10))));
    assert!(said.contains(&(1, kind::RENEWED, 13)), "{said:?}");
}

#[test]
fn the_next_life_begins_where_the_last_one_was_given_up() {
    let mut world = World::new();
    let _ = world.send((1, 10), (9, 4));
    world.located(9, alive(NINE));
    let _ = world.send((1, 10), (9, 4));
    let id = world.prepare();
    world.switch.connected(id);
    world.forget();
    world.take(9, NINE);
    let next = place(ME, 7, 5);
    world.answer(&Request::Take { vm: 9, from: NINE }, answered(9, next));
    assert_eq!(world.said(), [(1, kind::GONE, vm_and_incarnation(9, 4))]);
    world.switch.started(id);
    let said = world.said();
    assert!(said.contains(&(9, kind::RENEWED, 5)), "{said:?}");
    assert_eq!(world.send((9, 4), (1, 10)), Verdict::Drop(Drop::SourceOver));
    // The same of a VM that this node takes back itself.
    let mut world = World::new();
    let id = world.held();
    let from = place(ME, 10, 10);
    world.take(1, from);
    let next = answered(1, place(ME, 11, 12));
    world.answer(&Request::Take { vm: 1, from }, next);
    assert_eq!(world.said(), [(2, kind::GONE, vm_and_incarnation(1, 10))]);
    world.switch.started(id);
    assert!(world.said().contains(&(1, kind::RENEWED, 12)));
}

#[test]
fn a_vm_whose_vmm_has_gone_may_be_taken_for_a_while() {
    let mut world = World::new();
    let id = world.held();
    world.switch.disconnected(id);
    world.settle();
    assert!(world.asked.is_empty());
    assert_eq!(world.others.pop(), Some(Action::Orphaned(id)));
    // Its VMM has come back: nothing happens.
    world.switch.connected(id);
    world.switch.abandon(id);
    world.settle();
    assert!(world.asked.is_empty());
    world.switch.disconnected(id);
    world.switch.abandon(id);
    let owner = crate::directory::Owner {
        vm: 1,
        incarnation: 10,
    };
    assert_eq!(world.said(), [], "only the directory knows");
    world.answer(&Request::End(owner), Answer::Done(Ok(())));
    assert_eq!(world.said(), [(2, kind::GONE, vm_and_incarnation(1, 10))]);
    assert_eq!(world.switch.incarnation(id), None);
    assert_eq!(world.switch.moving(id), None);
}

#[test]
fn a_vm_that_is_given_up_may_have_been_taken() {
    let mut world = World::new();
    let id = world.held();
    world.switch.disconnected(id);
    world.switch.abandon(id);
    let owner = crate::directory::Owner {
        vm: 1,
        incarnation: 10,
    };
    let over = Answer::Done(Err(DirectoryError::LifeOver(owner)));
    world.answer(&Request::End(owner), over.clone());
    let there = answered(1, place(OTHER, 11, 10));
    world.answer(&Request::Look { vm: 1 }, there);
    assert_eq!(world.said(), []);
    assert_eq!(world.switch.moving(id), Some("elsewhere"));
    // Or its life is over for another reason.
    let mut world = World::new();
    let id = world.held();
    world.switch.disconnected(id);
    world.switch.abandon(id);
    world.answer(&Request::End(owner), over);
    let ended = seen(1, place(ME, 10, 10), false);
    world.answer(&Request::Look { vm: 1 }, Answer::Seen(Ok(Some(ended))));
    assert_eq!(world.said(), [(2, kind::GONE, vm_and_incarnation(1, 10))]);
    assert_eq!(world.switch.incarnation(id), None);
}

#[test]
fn what_was_taken_and_never_ran_may_be_given_back() {
    let mut world = World::new();
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.forget();
    assert_eq!(world.ask(MoveRequest::Forget { vm: 9 }), Some(Ok(None)));
    assert_eq!(world.others, [Action::CutOff(id), Action::Orphaned(id)]);
    world.switch.disconnected(id);
    world.settle();
    assert!(world.asked.is_empty(), "the record stays");
    // The old node takes it back; nothing is left of it here.
    world.forget();
    let back = place(OTHER, 8, 4);
    world.switch.news(News::Vm {
        vm: 9,
        lives: alive(back),
    });
    world.settle();
    assert_eq!(world.others, [Action::Removed(id)]);
    assert_eq!(world.switch.any_port_of(9), None);
    assert!(world.asked.is_empty());
}

#[test]
fn a_vm_that_nobody_takes_back_is_over() {
    let mut world = World::new();
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.ask(MoveRequest::Forget { vm: 9 });
    world.switch.abandon(id);
    let owner = crate::directory::Owner {
        vm: 9,
        incarnation: 4,
    };
    world.answer(&Request::End(owner), Answer::Done(Ok(())));
    world.answer(&Request::Leave { vm: 9 }, Answer::Done(Ok(())));
    assert_eq!(world.switch.any_port_of(9), None);
    assert_eq!(world.others.last(), Some(&Action::Removed(id)));
}

#[test]
fn a_node_that_was_started_again_takes_without_a_port() {
    let mut world = World::new();
    world.take(9, NINE);
    world.answer(&Request::Take { vm: 9, from: NINE }, answered(9, NINE_HERE));
    let id = world.port(9);
    let actions = [
        Action::Attached(9, id),
        Action::Orphaned(id),
        Action::Carries(id),
    ];
    assert_eq!(world.others, actions);
    assert_eq!(world.switch.epoch(id), Some(7));
    // The answer was lost, and is asked for again: all is as it was.
    world.forget();
    world.located(9, alive(NINE_HERE));
    world.take(9, NINE);
    world.answer(&Request::Take { vm: 9, from: NINE }, answered(9, NINE_HERE));
    assert!(world.others.is_empty());
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(NINE_HERE)));
    // One that cannot have a port is not asked for.
    world.switch.attach(VmAttributes::new(3, 0)).unwrap();
    world.settle();
    let full = world.ask(MoveRequest::Take { vm: 8, from: NINE });
    assert_eq!(full, Some(Err(AttachError::TooMany(4).into())));
}

#[test]
fn a_node_that_is_started_again_may_have_lost_the_vm() {
    let mut switch = Switch::new(4).with_nodeid(ME.0).with_cluster();
    let here = place(ME, 10, 10);
    let record = seen(1, here, true).record;
    let id = switch.restore(record).unwrap();
    let Some(Action::Ask(question, Request::Locate { vm: 1 })) = switch.next_action() else {
        panic!("its record is watched");
    };
    switch.answer(question, Answer::Located(alive(here)));
    assert_eq!(switch.moving(id), None);
    let lives = alive(place(OTHER, 11, 10));
    switch.news(News::Vm { vm: 1, lives });
    assert_eq!(switch.moving(id), Some("elsewhere"));
    while let Some(action) = switch.next_action() {
        assert!(!matches!(action, Action::Ask(..)), "{action:?}");
    }
}

#[test]
fn a_vm_on_its_way_can_be_detached() {
    let mut world = World::new();
    let id = world.held();
    world.switch.detach(id);
    let owner = crate::directory::Owner {
        vm: 1,
        incarnation: 10,
    };
    world.answer(&Request::End(owner), Answer::Done(Ok(())));
    world.answer(&Request::Leave { vm: 1 }, Answer::Done(Ok(())));
    assert_eq!(world.said(), [(2, kind::GONE, vm_and_incarnation(1, 10))]);
    assert_eq!(world.switch.any_port_of(1), None);
    let id = world.prepare();
    world.switch.detach(id);
    world.settle();
    assert!(world.asked.is_empty());
    assert_eq!(world.switch.any_port_of(9), None);
}
