//! VMs that leave, and what a node that is started again knows of them.

use super::*;

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
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(there.into())));
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
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(again.into())));
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
fn a_node_that_is_started_again_knows_what_the_record_says_of_the_start() {
    for (start, moving) in [
        (Start::Made, None),
        (Start::Awaited, Some("taken")),
        (Start::Declined, Some("taken")),
    ] {
        let mut world = World::new();
        let mut nine = seen(9, NINE_HERE, true);
        nine.record.start = start;
        let id = world.switch.restore(*nine).unwrap();
        world.located(9, alive(NINE_HERE));
        assert_eq!(world.switch.moving(id), moving);
        assert_eq!(world.switch.may_run(id), start != Start::Declined);
        world.switch.connected(id);
        world.switch.started(id);
        world.settle();
        let asked: Vec<_> = world.asked.iter().map(|it| &it.1).collect();
        let made = Request::Started {
            vm: 9,
            epoch: 7,
            start: Start::Made,
        };
        let told = usize::from(start == Start::Awaited);
        assert_eq!(asked, vec![&made; told]);
    }
}

#[test]
fn a_node_that_is_started_again_may_have_lost_the_vm() {
    let mut switch = Switch::new(4).with_nodeid(ME.0).with_cluster();
    let here = place(ME, 10, 10);
    let id = switch.restore(*seen(1, here, true)).unwrap();
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
fn a_vm_that_goes_on_elsewhere_in_its_next_life() {
    let mut world = World::new();
    let id = world.switch.restore(*seen(9, NINE_HERE, false)).unwrap();
    let over = Lives {
        last: 4,
        current: None,
    };
    world.located(9, over);
    // Others may hear of it before its node does.
    assert_eq!(
        world.send((2, 11), (9, 5)),
        Verdict::Drop(Drop::DestinationNew)
    );
    assert_eq!(
        world.send((2, 11), (9, 4)),
        Verdict::Drop(Drop::DestinationOver)
    );
    assert_eq!(world.said(), [(2, kind::GONE, vm_and_incarnation(9, 4))]);
    let lives = alive(place(OTHER, 8, 5));
    world.switch.news(News::Vm { vm: 9, lives });
    assert_eq!(world.switch.moving(id), Some("elsewhere"));
    assert!(world.said().contains(&(2, kind::RETRY, 9)));
    assert!(matches!(
        world.send((2, 11), (9, 5)),
        Verdict::Forward(OTHER, _)
    ));
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
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.switch.detach(id);
    let owner = crate::directory::Owner {
        vm: 9,
        incarnation: 4,
    };
    world.answer(&Request::End(owner), Answer::Done(Ok(())));
}

#[test]
fn what_is_heard_before_a_life_begins_here_is_no_departure() {
    let mut world = World::new();
    world.switch.attach(VmAttributes::new(3, 0)).unwrap();
    world.settle();
    let id = world.port(3);
    world.switch.connected(id);
    let lives = alive(place(OTHER, 5, 5));
    world.switch.news(News::Vm { vm: 3, lives });
    world.settle();
    assert_eq!(world.switch.port_of(3), Some(id));
}
