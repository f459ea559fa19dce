use super::*;
use crate::directory::{Answer, Endpoint, Found, Lease, RequestId};
use crate::frame::{Frame, result};
use crate::switch::peer::Stamp;
use crate::switch::{Drop, Verdict};
use crate::testing::{await_bound, bind};
use crate::vm::{DcAttributes, VmAttributes};

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const THIRD: NodeId = NodeId(3);

/// The switch of node 1 with VMs 1 and 2; VM 9 lives elsewhere. The test is the directory.
struct World {
    switch: Switch,
    said: Vec<(PortId, Frame)>,
    notices: Vec<(NodeId, Notice)>,
    asked: Vec<(RequestId, Request)>,
    others: Vec<Action>,
    incarnation: u32,
}

fn at(node: NodeId, incarnation: u32, epoch: u32) -> Location {
    Location {
        incarnation,
        node,
        epoch,
        dcid: 0,
    }
}

fn alive(location: Location) -> Lives {
    Lives {
        last: location.incarnation,
        current: Some(location),
    }
}

impl World {
    fn new() -> World {
        let mut world = World {
            switch: Switch::new(8).with_nodeid(ME.0).with_cluster(),
            said: Vec::new(),
            notices: Vec::new(),
            asked: Vec::new(),
            others: Vec::new(),
            incarnation: 10,
        };
        world.switch.news(News::Lease(Lease::Held));
        let address = String::new();
        world.switch.news(News::Node {
            node: OTHER,
            address,
        });
        for vm in [1, 2] {
            world.switch.attach(VmAttributes::new(vm, 0)).unwrap();
            world.settle();
            let id = world.port(vm);
            world.switch.connected(id);
            world.settle();
            world.switch.started(id);
            world.settle();
        }
        world.forget();
        world
    }

    /// The same after the first frame to VM 9 found its way to node 2.
    fn in_touch() -> World {
        let mut world = World::new();
        world.switch.link_up(OTHER);
        assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::Looking));
        world.located(9, alive(at(OTHER, 4, 6)));
        assert!(matches!(world.send(1, 9, 4), Verdict::Forward(OTHER, _)));
        world.forget();
        world
    }

    fn forget(&mut self) {
        self.settle();
        self.said.clear();
        self.notices.clear();
        self.others.clear();
    }

    /// Answers what every directory answers in the same way.
    fn settle(&mut self) {
        while let Some(action) = self.switch.next_action() {
            match action {
                Action::Say(to, frame) => self.said.push((to, frame)),
                Action::Notify(node, notice) => self.notices.push((node, notice)),
                Action::Ask(id, Request::Join(_)) => {
                    let joined = Answer::Joined(Ok(DcAttributes::default()));
                    self.switch.answer(id, joined);
                }
                Action::Ask(id, Request::Begin { .. }) => {
                    self.incarnation += 1;
                    let life = at(ME, self.incarnation, self.incarnation);
                    self.switch.answer(id, Answer::Begun(Ok(life)));
                }
                Action::Ask(id, Request::Bind { .. }) => {
                    self.switch.answer(id, Answer::Bound(Ok(5)));
                }
                Action::Ask(id, Request::Driving(_) | Request::End(_)) => {
                    self.switch.answer(id, Answer::Done(Ok(())));
                }
                Action::Ask(id, request) => self.asked.push((id, request)),
                other => self.others.push(other),
            }
        }
    }

    fn located(&mut self, vm: u32, lives: Lives) {
        self.settle();
        let (id, request) = self.asked.remove(0);
        assert_eq!(request, Request::Locate { vm });
        self.switch.answer(id, Answer::Located(lives));
        self.settle();
    }

    fn port(&self, vm: u32) -> PortId {
        self.switch.port_of(vm).unwrap()
    }

    fn life(&self, vm: u32) -> u32 {
        self.switch.incarnation(self.port(vm)).unwrap()
    }

    fn frame(&self, from: (u32, u32), to: (u32, u32)) -> Frame {
        Frame {
            kind: kind::RPL,
            src_vm: from.0.into(),
            src_inc: from.1.into(),
            dst_vm: to.0.into(),
            dst_inc: to.1.into(),
            ..Frame::default()
        }
    }

    fn send(&mut self, from: u32, to: u32, incarnation: u32) -> Verdict {
        let frame = self.frame((from, self.life(from)), (to, incarnation));
        let verdict = self
            .switch
            .frame(self.port(from), &frame, Class::Message, 0);
        self.settle();
        verdict
    }

    /// A frame from VM 9 in life 4 to VM 1.
    fn arrive(&mut self, from: NodeId, src_epoch: u32) -> Verdict {
        let frame = self.frame((9, 4), (1, self.life(1)));
        let dst_epoch = self.life(1);
        self.arrive_as(
            from,
            Stamp {
                src_epoch,
                dst_epoch,
            },
            &frame,
        )
    }

    fn arrive_as(&mut self, from: NodeId, stamp: Stamp, frame: &Frame) -> Verdict {
        let class = Class::Message;
        let verdict = self.switch.remote_frame(from, stamp, frame, class, 0);
        self.settle();
        verdict
    }

    fn take_said(&mut self, vm: u32) -> Vec<(u8, u64)> {
        let port = self.port(vm);
        let said = std::mem::take(&mut self.said);
        let his = said.iter().filter(|it| it.0 == port);
        his.map(|it| (it.1.kind, it.1.arg.get())).collect()
    }

    fn take_notices(&mut self) -> Vec<(NodeId, Notice)> {
        std::mem::take(&mut self.notices)
    }
}

#[test]
fn the_first_frame_finds_the_way_for_the_next() {
    let mut world = World::new();
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::Looking));
    world.located(9, alive(at(OTHER, 4, 6)));
    assert_eq!(world.take_said(1), [(kind::RETRY, 9)]);
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::LinkDown));
    assert_eq!(world.send(2, 9, 4), Verdict::Drop(Drop::LinkDown));
    assert_eq!(world.others, [Action::Dial(OTHER)]);
    world.switch.link_up(OTHER);
    world.settle();
    assert_eq!(world.said.len(), 2, "who was cut off sends again");
    let stamp = Stamp {
        src_epoch: world.life(1),
        dst_epoch: 6,
    };
    assert_eq!(world.send(1, 9, 4), Verdict::Forward(OTHER, stamp));
}

#[test]
fn a_vm_that_nobody_knows_is_gone() {
    let mut world = World::new();
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::Looking));
    world.located(9, Lives::default());
    let gone = vm_and_incarnation(9, 4);
    assert_eq!(world.take_said(1), [(kind::GONE, gone)]);
}

#[test]
fn a_life_that_ends_elsewhere_is_told_to_all_of_its_container() {
    let mut world = World::in_touch();
    let over = Lives {
        last: 4,
        current: None,
    };
    world.switch.news(News::Vm { vm: 9, lives: over });
    world.settle();
    let gone = vm_and_incarnation(9, 4);
    let said: Vec<_> = world.said.iter().map(|it| it.1.arg.get()).collect();
    assert_eq!(said, [gone, gone]);
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::DestinationOver));
}

#[test]
fn with_its_node_a_life_is_lost() {
    let mut world = World::in_touch();
    world.switch.news(News::NodeLost(OTHER));
    world.settle();
    assert!(world.said.is_empty(), "it may have moved");
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::Looking));
    let over = Lives {
        last: 4,
        current: None,
    };
    world.located(9, over);
    assert_eq!(world.take_said(1), [(kind::GONE, vm_and_incarnation(9, 4))]);
    assert_eq!(world.others, [Action::HangUp(OTHER)]);
    // Even if the directory names it once more before the node has noticed.
    let lives = alive(at(OTHER, 4, 6));
    world.switch.news(News::Vm { vm: 9, lives });
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::DestinationOver));
    assert_eq!(world.arrive(OTHER, 6), Verdict::Drop(Drop::SourceOver));
}

#[test]
fn a_vm_that_moved_away_before_its_node_was_lost_lives() {
    let mut world = World::in_touch();
    world.switch.news(News::NodeLost(OTHER));
    assert_eq!(world.send(2, 9, 4), Verdict::Drop(Drop::Looking));
    world.located(9, alive(at(THIRD, 4, 7)));
    let said: Vec<_> = world
        .said
        .iter()
        .map(|it| (it.1.kind, it.1.arg.get()))
        .collect();
    assert_eq!(said, [(kind::RETRY, 9), (kind::RETRY, 9)]);
    assert_eq!(world.arrive(OTHER, 6), Verdict::Drop(Drop::Contradicts));
}

#[test]
fn a_source_is_looked_up_before_it_is_believed() {
    let mut world = World::new();
    world.switch.link_up(OTHER);
    assert_eq!(world.arrive(OTHER, 6), Verdict::Drop(Drop::Looking));
    world.located(9, alive(at(OTHER, 4, 6)));
    assert_eq!(world.take_notices(), [(OTHER, Notice::Retry { vm: 1 })]);
    assert_eq!(world.arrive(OTHER, 6), Verdict::Deliver(world.port(1)));
}

#[test]
fn a_source_that_lives_elsewhere_is_refused() {
    let mut world = World::in_touch();
    assert_eq!(world.arrive(THIRD, 6), Verdict::Drop(Drop::Contradicts));
    assert_eq!(world.arrive(OTHER, 5), Verdict::Drop(Drop::Contradicts));
    let life = world.life(2);
    let forged = world.frame((2, life), (1, world.life(1)));
    let stamp = Stamp {
        src_epoch: life,
        dst_epoch: world.life(1),
    };
    let verdict = world.arrive_as(OTHER, stamp, &forged);
    assert_eq!(verdict, Verdict::Drop(Drop::Contradicts));
    let mut of_node = world.frame((9, 4), (1, world.life(1)));
    of_node.kind = kind::GONE;
    let verdict = world.arrive_as(OTHER, stamp, &of_node);
    assert_eq!(verdict, Verdict::Drop(Drop::NodeKind));
}

#[test]
fn another_container_is_out_of_reach_from_afar_too() {
    let mut world = World::new();
    world.switch.link_up(OTHER);
    assert_eq!(world.arrive(OTHER, 6), Verdict::Drop(Drop::Looking));
    let location = Location {
        dcid: 1,
        ..at(OTHER, 4, 6)
    };
    world.located(9, alive(location));
    assert_eq!(world.arrive(OTHER, 6), Verdict::Drop(Drop::OtherDc));
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::OtherDc));
}

#[test]
fn a_frame_for_who_is_not_here_is_answered() {
    let mut world = World::in_touch();
    let stamp = Stamp {
        src_epoch: 6,
        dst_epoch: 3,
    };
    let absent = world.frame((9, 4), (7, 1));
    let verdict = world.arrive_as(OTHER, stamp, &absent);
    assert_eq!(verdict, Verdict::Drop(Drop::NotHere));
    let old = world.frame((9, 4), (1, world.life(1)));
    let verdict = world.arrive_as(OTHER, stamp, &old);
    assert_eq!(verdict, Verdict::Drop(Drop::NotHere));
    let over = world.frame((9, 4), (1, 2));
    let verdict = world.arrive_as(OTHER, stamp, &over);
    assert_eq!(verdict, Verdict::Drop(Drop::DestinationOver));
    let notices = [
        Notice::Moved { vm: 7, epoch: 3 },
        Notice::Moved { vm: 1, epoch: 3 },
        Notice::Gone {
            vm: 1,
            incarnation: 2,
        },
    ];
    assert_eq!(world.take_notices(), notices.map(|it| (OTHER, it)));
}

#[test]
fn moved_corrects_what_was_known() {
    let mut world = World::in_touch();
    assert!(
        world
            .switch
            .notice(OTHER, Notice::Moved { vm: 9, epoch: 6 })
    );
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::Looking));
    world.located(9, alive(at(THIRD, 4, 7)));
    assert_eq!(world.take_said(1), [(kind::RETRY, 9)]);
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::LinkDown));
    // A late word of the old node changes nothing.
    assert!(
        !world
            .switch
            .notice(OTHER, Notice::Moved { vm: 9, epoch: 9 })
    );
    let late = Notice::Gone {
        vm: 9,
        incarnation: 4,
    };
    assert!(!world.switch.notice(OTHER, late));
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::LinkDown));
}

#[test]
fn the_end_of_a_life_is_told_to_those_it_talked_to() {
    let mut world = World::in_touch();
    let life = world.life(1);
    world.switch.disconnected(world.port(1));
    world.settle();
    let gone = Notice::Gone {
        vm: 1,
        incarnation: life,
    };
    assert_eq!(world.take_notices(), [(OTHER, gone)]);
}

#[test]
fn room_is_told_across_nodes() {
    let mut world = World::in_touch();
    let port = world.port(1);
    assert_eq!(world.arrive(OTHER, 6), Verdict::Deliver(port));
    world.switch.remote_no_room(OTHER, port, Class::Message);
    assert!(world.switch.wants_room(port, Class::Message));
    world.switch.room(port, Class::Message);
    world.settle();
    assert_eq!(world.take_notices(), [(OTHER, Notice::Retry { vm: 1 })]);
    assert!(world.switch.notice(OTHER, Notice::Retry { vm: 9 }));
    world
        .switch
        .no_link_room(world.port(2), 9, OTHER, Class::Bulk);
    world.switch.link_room(OTHER, Class::Bulk);
    world.settle();
    let said: Vec<_> = world.said.iter().map(|it| (it.0, it.1.arg.get())).collect();
    assert_eq!(said, [(port, 9), (world.port(2), 9)]);
}

#[test]
fn without_a_sure_lease_nothing_goes_between_nodes() {
    let mut world = World::in_touch();
    world.switch.news(News::Lease(Lease::Doubtful));
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::NoLease));
    assert_eq!(world.arrive(OTHER, 6), Verdict::Drop(Drop::NoLease));
    let life = world.life(2);
    let within = world.send(1, 2, life);
    assert_eq!(within, Verdict::Deliver(world.port(2)));
    world.switch.news(News::Lease(Lease::Held));
    world.settle();
    let notices = [
        Notice::Directory { answers: false },
        Notice::Directory { answers: true },
        Notice::Retry { vm: 0 },
    ];
    assert_eq!(world.take_notices(), notices.map(|it| (OTHER, it)));
    assert_eq!(world.take_said(1), [(kind::RETRY, 0)]);
}

#[test]
fn with_the_lease_the_lives_are_lost_and_begin_anew() {
    let mut world = World::in_touch();
    let (first, second) = (world.life(1), world.life(2));
    let port = world.port(1);
    world.switch.control(port, &bind(20, 1));
    world.settle();
    world.forget();
    world.switch.news(News::Lease(Lease::Lapsed));
    world.switch.news(News::Lease(Lease::Held));
    world.settle();
    assert!(world.life(1) > first && world.life(2) > second);
    assert_eq!(world.switch.endpoints(port).count(), 0);
    let renewed = world.said.iter().find(|it| it.1.kind == kind::RENEWED);
    let frame = renewed.map(|it| it.1).unwrap();
    assert_eq!(frame.dst_inc.get(), first);
    assert_eq!(frame.arg.get(), u64::from(world.life(1)));
    // If there is no room for it, it is told later.
    world.switch.node_frame_lost(port, &frame);
    world.forget();
    assert!(world.switch.wants_room(port, Class::Message));
    world.switch.room(port, Class::Message);
    world.settle();
    assert_eq!(
        world.take_said(1),
        [(kind::RENEWED, u64::from(world.life(1)))]
    );
}

#[test]
fn who_speaks_in_a_life_that_is_over_is_told_of_the_next() {
    let mut world = World::in_touch();
    let over = world.life(1);
    world.switch.news(News::Lease(Lease::Lapsed));
    world.switch.news(News::Lease(Lease::Held));
    world.forget();
    let frame = world.frame((1, over), (9, 4));
    let port = world.port(1);
    for told in [true, false] {
        let verdict = world.switch.frame(port, &frame, Class::Message, 0);
        assert_eq!(verdict, Verdict::Drop(Drop::SourceOver));
        world.switch.batch_end(port);
        world.settle();
        let said = world.take_said(1);
        let renewed = (kind::RENEWED, u64::from(world.life(1)));
        assert_eq!(
            said.contains(&renewed),
            told,
            "once for all that came of it"
        );
    }
}

#[test]
fn an_endpoint_that_is_bound_elsewhere_ends_the_wait() {
    let mut world = World::new();
    let port = world.port(1);
    world.switch.control(port, &await_bound(20, 77));
    world.settle();
    let endpoint = Endpoint {
        dcid: 0,
        number: 20,
    };
    let (id, request) = world.asked.remove(0);
    assert_eq!(request, Request::Await { endpoint });
    world.switch.answer(id, Answer::Found(None));
    world.forget();
    let found = Found {
        vm: 9,
        generation: 3,
        location: at(OTHER, 4, 6),
    };
    world.switch.news(News::Bound { endpoint, found });
    world.settle();
    let (to, frame) = world.said[0];
    assert_eq!(
        (to, frame.kind, frame.result.get()),
        (port, kind::FOUND, result::OK)
    );
    assert_eq!(frame.arg.get(), vm_and_incarnation(9, 4));
    let interest = Interest::Endpoint(endpoint);
    assert_eq!(world.others, [Action::Unwatch(interest)]);
}

#[path = "cluster_lives_test.rs"]
mod lives;

#[test]
fn both_sides_of_a_link_that_is_used_dial_it_anew() {
    let mut world = World::in_touch();
    world.switch.link_down(OTHER);
    world.settle();
    assert_eq!(world.others, [Action::Dial(OTHER)]);
    // It is dialled until the node has left: saying so once is enough.
    world.forget();
    world.switch.link_up(OTHER);
    world.switch.link_down(OTHER);
    world.forget();
    world.switch.link_up(THIRD);
    world.switch.link_down(THIRD);
    world.settle();
    assert_eq!(world.others, [], "nobody here talks to anybody there");
}

#[test]
fn what_is_heard_late_sends_no_vm_away_that_was_attached_since() {
    let mut world = World::in_touch();
    world.switch.attach(VmAttributes::new(9, 0)).unwrap();
    world.settle();
    let id = world.port(9);
    world.switch.news(News::Vm {
        vm: 9,
        lives: alive(at(OTHER, 4, 6)),
    });
    world.settle();
    assert_eq!(world.switch.port_of(9), Some(id));
    world.switch.connected(id);
    world.settle();
    assert!(world.switch.incarnation(id).is_some());
}
