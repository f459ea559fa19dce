use super::*;
use crate::directory::News;
use crate::switch::Action;

const OTHERS: [NodeId; 2] = [NodeId(2), NodeId(3)];

/// A switch that holds its lease, beside two other nodes.
fn member() -> Switch {
    let mut switch = Switch::new(8).with_nodeid(1).with_cluster();
    switch.news(News::Lease(Lease::Held));
    for node in OTHERS {
        let address = String::new();
        switch.news(News::Node { node, address });
    }
    forget(&mut switch);
    switch
}

fn forget(switch: &mut Switch) -> Vec<Action> {
    std::iter::from_fn(|| switch.next_action()).collect()
}

fn is_good(switch: &Switch) -> bool {
    let cluster = switch.cluster.as_ref();
    cluster.is_some_and(|it| it.standing.is_good())
}

fn says(switch: &mut Switch, node: NodeId, answers: bool) {
    assert!(switch.notice(node, Notice::Directory { answers }));
}

/// The same once the directory has not answered for long.
fn in_doubt() -> Switch {
    let mut switch = member();
    switch.news(News::Lease(Lease::Unanswered));
    let dials = OTHERS.map(Action::Dial);
    assert_eq!(forget(&mut switch), dials);
    for node in OTHERS {
        switch.link_up(node);
        let told = Notice::Directory { answers: false };
        assert_eq!(forget(&mut switch), [Action::Notify(node, told)]);
    }
    switch.news(News::Lease(Lease::Doubtful));
    switch
}

#[test]
fn without_a_lease_nothing_goes() {
    let mut switch = Switch::new(8).with_cluster();
    assert!(!is_good(&switch));
    switch.news(News::Lease(Lease::Held));
    assert!(is_good(&switch));
    switch.news(News::Lease(Lease::Unanswered));
    assert!(is_good(&switch));
}

#[test]
fn who_is_cut_off_alone_is_silent() {
    let mut switch = in_doubt();
    assert!(!is_good(&switch));
    says(&mut switch, OTHERS[0], false);
    assert!(!is_good(&switch), "one of them is answered");
}

#[test]
fn when_the_directory_is_away_for_all_nobody_stops() {
    let mut switch = in_doubt();
    for node in OTHERS {
        says(&mut switch, node, false);
    }
    assert!(is_good(&switch));
    // Everybody hears of it when it is back, and whoever is still in doubt stops.
    says(&mut switch, OTHERS[1], true);
    assert!(!is_good(&switch));
    says(&mut switch, OTHERS[1], false);
    assert!(is_good(&switch));
    switch.link_down(OTHERS[0]);
    assert!(!is_good(&switch), "a silent node may be answered");
    forget(&mut switch);
    switch.news(News::Lease(Lease::Held));
    assert!(is_good(&switch));
    let told = Notice::Directory { answers: true };
    assert!(forget(&mut switch).contains(&Action::Notify(OTHERS[1], told)));
}

#[test]
fn what_a_node_said_in_an_earlier_session_does_not_count() {
    let mut switch = in_doubt();
    for node in OTHERS {
        says(&mut switch, node, false);
    }
    switch.link_down(OTHERS[0]);
    switch.link_up(OTHERS[0]);
    assert!(!is_good(&switch));
}

#[test]
fn who_has_lost_its_lease_is_not_asked() {
    let mut switch = in_doubt();
    says(&mut switch, OTHERS[0], false);
    switch.news(News::NodeLost(OTHERS[1]));
    assert!(is_good(&switch));
}

#[test]
fn after_its_end_a_lease_must_be_held_anew() {
    let mut switch = in_doubt();
    for node in OTHERS {
        says(&mut switch, node, false);
    }
    switch.news(News::Lease(Lease::Lapsed));
    assert!(!is_good(&switch));
    switch.news(News::Lease(Lease::Held));
    assert!(is_good(&switch));
}

#[test]
fn who_knows_of_no_other_cannot_know_that_all_are_in_doubt() {
    let mut switch = Switch::new(8).with_nodeid(1).with_cluster();
    switch.news(News::Lease(Lease::Held));
    switch.news(News::Lease(Lease::Unanswered));
    assert!(is_good(&switch));
    switch.news(News::Lease(Lease::Doubtful));
    assert!(!is_good(&switch));
}
