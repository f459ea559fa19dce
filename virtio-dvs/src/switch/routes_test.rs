use super::*;

const HERE: PortId = PortId(3);
const THERE: NodeId = NodeId(7);

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

fn over(last: u32) -> Lives {
    Lives {
        last,
        current: None,
    }
}

#[test]
fn who_asks_first_waits_for_the_answer() {
    let mut route = Route::default();
    assert_eq!(route.find(HERE, 4), Found::Unknown { ask: true });
    assert_eq!(route.find(HERE, 4), Found::Unknown { ask: false });
    let heard = route.answered(alive(at(THERE, 4, 9)));
    assert_eq!(heard.retry, [HERE]);
    assert_eq!(route.find(HERE, 4), Found::At(at(THERE, 4, 9)));
    assert_eq!(route.find(HERE, 3), Found::Over);
}

#[test]
fn a_life_that_nobody_knows_is_gone_only_after_a_look_of_its_own() {
    let mut route = Route::default();
    assert_eq!(route.find(PortId(1), 4), Found::Unknown { ask: true });
    // This one may know of a life that began after the directory was asked.
    assert_eq!(route.find(PortId(2), 5), Found::Unknown { ask: false });
    let heard = route.answered(over(4));
    assert_eq!(heard.gone, [(PortId(1), 4)]);
    assert!(heard.ask);
    let heard = route.answered(over(4));
    assert_eq!(heard.gone, [(PortId(2), 5)]);
    assert!(!heard.ask);
}

#[test]
fn news_that_come_late_change_nothing() {
    let mut route = Route::default();
    route.answered(alive(at(THERE, 4, 9)));
    let heard = route.learn(alive(at(NodeId(8), 4, 8)));
    assert_eq!(heard, Heard::default());
    assert_eq!(route.location(), Some(at(THERE, 4, 9)));
    let heard = route.learn(over(3));
    assert_eq!(heard.ended, None);
    let heard = route.learn(over(4));
    assert_eq!(heard.ended, Some(at(THERE, 4, 9)));
    // Whoever was reported dead is not heard of again.
    route.learn(alive(at(THERE, 4, 10)));
    assert_eq!(route.find(HERE, 4), Found::Over);
}

#[test]
fn a_move_is_a_reason_to_send_again() {
    let mut route = Route::default();
    route.answered(alive(at(THERE, 4, 9)));
    assert!(route.learn(alive(at(NodeId(8), 4, 10))).moved);
    assert!(!route.learn(alive(at(NodeId(8), 4, 10))).moved);
}

#[test]
fn a_denied_placement_is_not_used_and_asked_for_once() {
    let mut route = Route::default();
    route.answered(alive(at(THERE, 4, 9)));
    assert!(!route.deny(8));
    assert!(route.deny(9));
    assert!(!route.deny(9));
    assert_eq!(route.find(HERE, 4), Found::Unknown { ask: false });
    let heard = route.answered(alive(at(THERE, 4, 9)));
    assert_eq!(
        (heard.retry.len(), heard.gone.len(), heard.ask),
        (0, 0, false)
    );
    assert_eq!(route.find(HERE, 4), Found::Unknown { ask: false });
    let heard = route.learn(alive(at(NodeId(8), 4, 10)));
    assert!(heard.moved);
    assert_eq!(route.find(HERE, 4), Found::At(at(NodeId(8), 4, 10)));
}

#[test]
fn a_claim_is_believed_only_of_the_node_that_the_directory_names() {
    let mut route = Route::default();
    let unknown = Err(Found::Unknown { ask: true });
    assert_eq!(route.check(THERE, 4, 9, 1), unknown);
    let heard = route.answered(alive(at(THERE, 4, 9)));
    assert_eq!(heard.claims, BTreeSet::from([(THERE, 1)]));
    assert_eq!(route.check(THERE, 4, 9, 1), Ok(at(THERE, 4, 9)));
    let known = Err(Found::At(at(THERE, 4, 9)));
    assert_eq!(route.check(NodeId(8), 4, 9, 1), known);
    assert_eq!(route.check(THERE, 4, 8, 1), known);
    assert_eq!(route.check(THERE, 3, 9, 1), Err(Found::Over));
    assert_eq!(route.check(NodeId(8), 4, 10, 1), unknown);
}

#[test]
fn many_claims_of_one_vm_count_as_all() {
    let mut route = Route::default();
    for to in 1..=1000 {
        assert!(route.check(THERE, 4, 9, to).is_err());
    }
    let heard = route.answered(alive(at(THERE, 4, 9)));
    assert!(heard.claims.len() <= WAITING_MAX);
    assert!(heard.claims.contains(&(THERE, 0)));
}

#[test]
fn routes_that_nobody_needs_make_room() {
    let mut routes = Routes::default();
    for vm in 1..=u32::try_from(ROUTES_MAX).unwrap() {
        assert_eq!(routes.superfluous(|_| false), None);
        routes.entry(vm);
    }
    let needed = |vm: u32| vm <= 10;
    let first = routes.superfluous(needed).unwrap();
    assert!(first > 10);
    routes.remove(first);
    routes.entry(u32::MAX - 1);
    assert!(routes.superfluous(needed).is_some());
    assert_eq!(routes.superfluous(|_| true), None);
}
