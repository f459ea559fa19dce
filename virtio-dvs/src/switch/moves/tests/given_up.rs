//! Ports that nobody sees to, or whose VMM has given up: what becomes of their VMs.

use super::*;

#[test]
fn a_guest_whose_life_was_given_up_where_it_comes_back_to_is_told_so() {
    let mut world = World::new();
    // Life 10 of VM 1 stands still, and its node has lost its lease and waited for its VMM for long enough.
    let id = world.port(1);
    world.switch.disconnected(id);
    world.switch.connected(id);
    world.settle();
    world.switch.disconnected(id);
    world.forget();
    world.asked.clear();
    let from = place(ME, 10, 10);
    world.take(1, from);
    let found = Answer::Seen(Ok(Some(seen(1, place(ME, 12, 12), false))));
    world.answer(&Request::Take { vm: 1, from }, found);
    world.run(1);
    assert_eq!(world.switch.incarnation(id), Some(13));
    let said = world.said();
    assert!(said.contains(&(1, kind::RENEWED, 13)), "{said:?}");
    // Whoever takes it from where it was ended knows of that.
    world.switch.disconnected(id);
    world.forget();
    world.asked.clear();
    let from = place(ME, 13, 13);
    world.take(1, from);
    let found = Answer::Seen(Ok(Some(seen(1, from, false))));
    world.answer(&Request::Take { vm: 1, from }, found);
    world.run(1);
    let said = world.said();
    assert!(said.iter().all(|it| it.1 != kind::RENEWED), "{said:?}");
}

#[test]
fn a_guest_that_comes_back_while_its_life_is_being_ended_is_told_so() {
    for released_before in [false, true] {
        comes_back_while_its_life_is_being_ended(released_before);
    }
}

fn comes_back_while_its_life_is_being_ended(released_before: bool) {
    let mut world = World::new();
    let id = world.held();
    world.switch.disconnected(id);
    // Its VMM asks for it while the directory does not answer; meanwhile its time is up.
    let from = place(ME, 10, 10);
    world.take(1, from);
    world.switch.abandon(id);
    let owner = crate::directory::Owner {
        vm: 1,
        incarnation: 10,
    };
    let found = Answer::Seen(Ok(Some(seen(1, place(ME, 11, 10), true))));
    world.answer(&Request::Take { vm: 1, from }, found);
    if released_before {
        world.ask(MoveRequest::Release { vm: 1 });
    }
    world.answer(&Request::End(owner), Answer::Done(Ok(())));
    world.forget();
    world.run(1);
    assert_eq!(world.switch.incarnation(id), Some(12));
    let said = world.said();
    assert!(said.contains(&(1, kind::RENEWED, 12)), "{said:?}");
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
fn another_guest_at_the_port_of_a_vm_that_is_held() {
    let owner = crate::directory::Owner {
        vm: 1,
        incarnation: 10,
    };
    let mut world = World::new();
    let id = world.held();
    world.switch.disconnected(id);
    world.switch.connected(id);
    world.switch.reset(id);
    world.answer(&Request::End(owner), Answer::Done(Ok(())));
    assert_eq!(world.said(), [(2, kind::GONE, vm_and_incarnation(1, 10))]);
    assert_eq!(world.switch.incarnation(id), Some(12));
    assert!(world.others.contains(&Action::Begun(id)));
    assert!(world.switch.may_run(id));
    // It has been taken away meanwhile.
    let mut world = World::new();
    let id = world.held();
    world.switch.reset(id);
    let over = Answer::Done(Err(DirectoryError::LifeOver(owner)));
    world.answer(&Request::End(owner), over.clone());
    world.answer(&Request::Look { vm: 1 }, answered(1, place(OTHER, 11, 10)));
    let elsewhere = DirectoryError::Elsewhere { vm: 1, node: OTHER };
    let refused = Action::NotBegun(id, elsewhere);
    assert_eq!(world.others.last(), Some(&refused));
    assert_eq!(world.said(), []);
    // The same where that is heard first.
    let mut world = World::new();
    let id = world.held();
    world.switch.reset(id);
    let lives = alive(place(OTHER, 11, 10));
    world.switch.news(News::Vm { vm: 1, lives });
    world.answer(&Request::End(owner), over);
    assert_eq!(world.others.last(), Some(&refused));
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
fn a_guest_that_begins_anew_while_its_life_is_being_ended_begins_once() {
    let owner = crate::directory::Owner {
        vm: 1,
        incarnation: 10,
    };
    let over = Answer::Done(Err(DirectoryError::LifeOver(owner)));
    let goes_on = answered(1, place(ME, 10, 10));
    for (heard_before, last) in [
        (None, Answer::Done(Ok(()))),
        (Some(over.clone()), goes_on),
        (None, over),
    ] {
        let mut world = World::new();
        let id = world.held();
        world.switch.disconnected(id);
        world.switch.abandon(id);
        if let Some(answer) = heard_before {
            world.answer(&Request::End(owner), answer);
        }
        // It goes on, and its driver begins anew before the directory has answered.
        world.ask(MoveRequest::Release { vm: 1 });
        world.run(1);
        world.forget();
        let question = world.asked.remove(0);
        world.switch.reset(id);
        world.switch.answer(question.0, last);
        world.settle();
        assert_eq!(world.others, [Action::Begun(id)]);
        assert_eq!(world.switch.incarnation(id), Some(12));
    }
}

#[test]
fn what_was_taken_and_never_ran_may_be_given_back() {
    let mut world = World::new();
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.forget();
    assert_eq!(world.ask(MoveRequest::Forget { vm: 9 }), Some(Ok(None)));
    assert_eq!(world.others, [Action::CutOff(id), Action::Orphaned(id)]);
    world.has_declined();
    world.switch.disconnected(id);
    world.settle();
    assert!(world.asked.is_empty(), "the record stays");
    // Nobody can run it here any more.
    let given_back = Some(Err(MoveError::GivenBack(9)));
    assert_eq!(world.ask(MoveRequest::Release { vm: 9 }), given_back);
    world.switch.connected(id);
    world.settle();
    let refused = Action::NotBegun(id, DirectoryError::NoVm(9));
    assert_eq!(world.others.pop(), Some(refused));
    world.switch.started(id);
    assert!(!world.switch.may_run(id) && world.said().is_empty());
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
fn what_was_given_back_begins_no_life_with_the_next_lease() {
    let mut world = World::new();
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.ask(MoveRequest::Forget { vm: 9 });
    world.has_declined();
    let life = world.switch.incarnation(id);
    world.switch.news(News::Lease(Lease::Lapsed));
    world.switch.news(News::Lease(Lease::Held));
    world.settle();
    assert_eq!(world.switch.incarnation(id), life);
    assert!(world.asked.is_empty(), "whoever takes it back begins it");
}

#[test]
fn what_has_not_run_is_given_back_when_its_vmm_goes() {
    let mut world = World::new();
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.forget();
    world.switch.disconnected(id);
    world.has_declined();
    assert_eq!(world.others, [Action::CutOff(id), Action::Orphaned(id)]);
    // Before it came.
    let mut world = World::new();
    let id = world.prepare();
    world.switch.connected(id);
    world.take(9, NINE);
    world.switch.disconnected(id);
    let take = Request::Take { vm: 9, from: NINE };
    world.answer(&take, came(9, NINE_HERE));
    world.has_declined();
    // It never connected: it has some time.
    let mut world = World::new();
    let id = world.prepare();
    world.take(9, NINE);
    world.answer(&take, came(9, NINE_HERE));
    world.located(9, alive(NINE_HERE));
    assert!(world.asked.is_empty() && world.switch.may_run(id));
    world.switch.abandon(id);
    world.has_declined();
}

#[test]
fn what_may_have_run_is_not_given_back() {
    let made = Request::Started {
        vm: 9,
        epoch: 7,
        start: Start::Made,
    };
    let over = Request::End(crate::directory::Owner {
        vm: 9,
        incarnation: 4,
    });
    // It runs: by its rings, or since its VMM says so.
    for released in [false, true] {
        let mut world = World::new();
        let id = world.taken();
        world.located(9, alive(NINE_HERE));
        if released {
            assert_eq!(world.ask(MoveRequest::Release { vm: 9 }), Some(Ok(None)));
        }
        world.switch.started(id);
        world.answer(&made, Answer::Done(Ok(())));
        assert_eq!(world.switch.moving(id), None);
        world.switch.disconnected(id);
        world.answer(&over, Answer::Done(Ok(())));
        assert!(world.asked.is_empty());
    }
    // The node was started again since it had prepared the port.
    let mut world = World::new();
    let take = Request::Take { vm: 9, from: NINE };
    world.take(9, NINE);
    world.answer(&take, came(9, NINE_HERE));
    world.located(9, alive(NINE_HERE));
    let id = world.port(9);
    world.switch.connected(id);
    world.switch.disconnected(id);
    world.switch.abandon(id);
    world.answer(&over, Answer::Done(Ok(())));
    assert!(world.asked.is_empty());
}

#[test]
fn a_vm_that_nobody_takes_back_is_over() {
    let mut world = World::new();
    let id = world.taken();
    world.located(9, alive(NINE_HERE));
    world.ask(MoveRequest::Forget { vm: 9 });
    world.has_declined();
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
