//! VMs that come.

use super::*;

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
fn where_it_comes_from_is_dialled_before_it_comes() {
    let mut world = World::new();
    world.switch.link_down(OTHER);
    world.settle();
    world.others.clear();
    let id = world.prepare();
    assert_eq!(world.others.last(), Some(&Action::Dial(OTHER)));
    world.others.clear();
    assert_eq!(world.prepare(), id);
    let dials = |it: &&Action| matches!(it, Action::Dial(_));
    assert_eq!(world.others.iter().find(dials), None, "it is dialled once");
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
    world.ask(prepare(7, NINE));
    world.answer(&Request::Look { vm: 7 }, answered(7, NINE));
    let full = Some(Err(AttachError::TooMany(4).into()));
    assert_eq!(world.ask(prepare(8, NINE)), full);
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
    assert_eq!(world.settled.pop().unwrap().1, awaited(NINE_HERE));
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
        assert_eq!(world.settled.pop().unwrap().1, Ok(Some(answer.into())));
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
    let won = Ok(Some(NINE_HERE.into()));
    assert!(world.settled.iter().all(|it| it.1 == won));
    // The same with looks.
    let look = MoveRequest::Place { vm: 2 };
    for _ in 0..TICKETS_MAX {
        assert_eq!(world.ask(look), None);
    }
    assert_eq!(world.ask(look), Some(Err(MoveError::Busy(2))));
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
fn nodes_that_know_first_that_a_vm_is_taken_back_are_told_when_it_runs() {
    let mut world = World::new();
    let id = world.held();
    let from = place(ME, 10, 10);
    world.take(1, from);
    let early = world.arrives(THIRD, (8, 11), &World::frame((5, 3), (1, 10)));
    assert_eq!(early, Verdict::Drop(Drop::Looking));
    assert_eq!(world.notices, []);
    world.forget();
    world.answer(
        &Request::Take { vm: 1, from },
        answered(1, place(ME, 11, 10)),
    );
    world.switch.started(id);
    world.settle();
    assert_eq!(world.notices, [(THIRD, Notice::Retry { vm: 1 })]);
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
    let gone = vm_and_incarnation(9, 4);
    assert_eq!(world.said(), [(1, kind::GONE, gone), (2, kind::GONE, gone)]);
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
    // Or of one whose port this node has forgotten with its restart.
    let mut world = World::new();
    world.take(9, NINE);
    world.answer(
        &Request::Take { vm: 9, from: NINE },
        answered(9, place(ME, 7, 5)),
    );
    let id = world.port(9);
    world.switch.connected(id);
    world.switch.started(id);
    assert!(world.said().contains(&(9, kind::RENEWED, 5)));
}

#[test]
fn what_was_taken_before_the_lease_was_lost_gets_its_next_life() {
    let over = || Answer::Seen(Ok(Some(seen(9, NINE_HERE, false))));
    let take = Request::Take { vm: 9, from: NINE };
    let mut world = World::new();
    let _ = world.send((1, 10), (9, 4));
    world.located(9, alive(NINE));
    let id = world.prepare();
    world.switch.connected(id);
    world.take(9, NINE);
    world.forget();
    world.answer(&take, over());
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(NINE_HERE.into())));
    let gone = vm_and_incarnation(9, 4);
    let said = world.said();
    assert!(said.contains(&(1, kind::GONE, gone)), "{said:?}");
    assert_eq!(world.switch.incarnation(id), Some(12));
    assert!(said.contains(&(9, kind::RENEWED, 12)), "{said:?}");
    assert!(world.switch.may_run(id) && world.switch.port_of(9) == Some(id));
    world.switch.started(id);
    assert_eq!(world.send((1, 10), (9, 12)), Verdict::Deliver(id));
    // The same of a VM that this node takes back itself.
    let mut world = World::new();
    let id = world.held();
    let (from, again) = (place(ME, 10, 10), place(ME, 11, 10));
    world.take(1, from);
    world.switch.news(News::Lease(Lease::Lapsed));
    world.switch.news(News::Lease(Lease::Held));
    let answer = Answer::Seen(Ok(Some(seen(1, again, false))));
    world.answer(&Request::Take { vm: 1, from }, answer);
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(again.into())));
    assert!(world.said().contains(&(1, kind::RENEWED, 13)));
    assert!(world.switch.may_run(id));
    // A node that was started again has asked for the next life already.
    let mut world = World::new();
    world.switch.attach(VmAttributes::new(9, 0)).unwrap();
    world.settle();
    let id = world.port(9);
    world.take(9, NINE);
    world.switch.connected(id);
    world.answer(&take, over());
    assert_eq!(world.switch.incarnation(id), Some(12));
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
    assert_eq!(world.settled.pop().unwrap().1, Ok(Some(NINE_HERE.into())));
    // One that cannot have a port is not asked for.
    world.switch.attach(VmAttributes::new(3, 0)).unwrap();
    world.settle();
    let full = world.ask(MoveRequest::Take { vm: 8, from: NINE });
    assert_eq!(full, Some(Err(AttachError::TooMany(4).into())));
}
