//! What becomes of those who talk to a life that ends, moves, or was never here.

use super::*;

#[test]
fn a_vm_that_comes_here_has_lost_its_life_elsewhere() {
    let mut world = World::in_touch();
    world.switch.attach(VmAttributes::new(9, 0)).unwrap();
    world.settle();
    let gone = (kind::GONE, vm_and_incarnation(9, 4));
    assert_eq!(world.take_said(1), [gone]);
    assert!(world.others.contains(&Action::Unwatch(Interest::Vm(9))));
}

#[test]
fn whoever_looks_for_a_vm_that_comes_here_hears_what_became_of_it() {
    let mut world = World::new();
    world.switch.link_up(OTHER);
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::Looking));
    world.switch.attach(VmAttributes::new(9, 0)).unwrap();
    world.settle();
    assert_eq!(world.take_said(1), [(kind::RETRY, 9)]);
    // Before it has begun a life here, whichever life is meant is over.
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::DestinationOver));
    assert_eq!(world.take_said(1), [(kind::GONE, vm_and_incarnation(9, 4))]);
}

#[test]
fn a_vm_that_only_acknowledges_is_told_too_that_sending_works_again() {
    let mut world = World::in_touch();
    let mut ack = world.frame((2, world.life(2)), (9, 4));
    ack.kind = kind::ACK;
    let verdict = world.switch.frame(world.port(2), &ack, Class::Message, 0);
    assert!(matches!(verdict, Verdict::Forward(OTHER, _)));
    assert!(world.switch.notice(OTHER, Notice::Retry { vm: 9 }));
    world.settle();
    assert_eq!(world.take_said(2), [(kind::RETRY, 9)]);
}

#[test]
fn a_session_that_the_other_node_has_ended_is_made_anew_by_who_needs_it() {
    // That node had dialled it: nothing was asked for here.
    let mut world = World::in_touch();
    world.switch.link_down(OTHER);
    assert_eq!(world.send(1, 9, 4), Verdict::Drop(Drop::LinkDown));
    assert_eq!(world.others, [Action::Dial(OTHER)]);
}

#[test]
fn others_may_hear_of_a_life_before_its_own_node() {
    let mut world = World::in_touch();
    assert!(matches!(world.arrive(OTHER, 6), Verdict::Deliver(_)));
    // VMs 1 and 2 begin lives 13 and 14.
    let (over, next) = (world.life(1), 13);
    let stamp = Stamp {
        src_epoch: 6,
        dst_epoch: next,
    };
    world.switch.news(News::Lease(Lease::Lapsed));
    world.switch.news(News::Lease(Lease::Held));
    let frame = world.frame((9, 4), (1, next));
    let class = Class::Message;
    let verdict = world.switch.remote_frame(OTHER, stamp, &frame, class, 0);
    assert_eq!(verdict, Verdict::Drop(Drop::DestinationNew));
    let late = world.frame((9, 4), (1, over));
    let verdict = world.switch.remote_frame(OTHER, stamp, &late, class, 0);
    assert_eq!(verdict, Verdict::Drop(Drop::DestinationOver));
    world.settle();
    assert_eq!(world.life(1), next);
    let notices = world.take_notices();
    let gone = |incarnation| (OTHER, Notice::Gone { vm: 1, incarnation });
    assert!(notices.contains(&gone(over)), "{notices:?}");
    assert!(!notices.contains(&gone(next)), "{notices:?}");
    assert!(notices.contains(&(OTHER, Notice::Retry { vm: 1 })));
    let verdict = world.arrive_as(OTHER, stamp, &frame);
    assert!(matches!(verdict, Verdict::Deliver(_)));
}
