use super::*;

fn identity(me: u32) -> Identity {
    let listen = "127.0.0.1:0".parse().unwrap();
    Identity::new(&LinkConfig::plaintext(NodeId(me), "blue", listen))
}

fn hello(node: u32) -> Hello {
    identity(node).hello(5, Class::Message)
}

#[test]
fn two_of_a_kind_agree() {
    let agreed = identity(1).judge_hello(&hello(2)).unwrap();
    assert_eq!((agreed.version, agreed.lz4), (2, true));
    assert_eq!(agreed.ping, Duration::from_secs(1));
    let welcome = identity(1).welcome(&agreed);
    assert_eq!(identity(2).judge_welcome(NodeId(1), &welcome), Ok(agreed));
}

#[test]
fn the_older_version_is_spoken_without_lz4_and_a_newer_node_is_met_halfway() {
    let old = Hello {
        version: 1,
        lz4: true,
        ..hello(2)
    };
    let agreed = identity(1).judge_hello(&old).unwrap();
    assert_eq!((agreed.version, agreed.lz4), (1, false));
    let new = Hello {
        version: 9,
        lowest: 2,
        ..hello(2)
    };
    assert_eq!(identity(1).judge_hello(&new).unwrap().version, 2);
}

#[test]
fn who_does_not_fit_is_told_why() {
    let too_old = Hello {
        version: 0,
        lowest: 0,
        ..hello(2)
    };
    let too_new = Hello {
        version: 9,
        lowest: 3,
        ..hello(2)
    };
    let mut cluster = [0; CLUSTER_MAX];
    cluster[..3].copy_from_slice(b"red");
    let stranger = Hello {
        cluster,
        ..hello(2)
    };
    for (hello, words) in [
        (too_old, "0 to 0"),
        (too_new, "3 to 9"),
        (stranger, "\"red\""),
        (hello(1), "the number 1"),
    ] {
        let reason = identity(1).judge_hello(&hello).unwrap_err();
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn an_answer_must_be_of_who_was_asked_in_what_was_offered() {
    let agreed = identity(1).judge_hello(&hello(2)).unwrap();
    let welcome = identity(1).welcome(&agreed);
    let reason = identity(2).judge_welcome(NodeId(3), &welcome).unwrap_err();
    assert!(reason.contains("node 1 answers"), "{reason}");
    for version in [0, 3] {
        let welcome = Welcome { version, ..welcome };
        assert!(identity(2).judge_welcome(NodeId(1), &welcome).is_err());
    }
}

#[test]
fn no_peer_asks_for_more_signs_of_life_than_there_may_be() {
    for (asked, ping) in [(0, 500), (600, 600), (9000, 3000), (u32::MAX, 3000)] {
        let hello = Hello {
            keepalive_ms: asked,
            ..hello(2)
        };
        let agreed = identity(1).judge_hello(&hello).unwrap();
        assert_eq!(agreed.ping, Duration::from_millis(ping) / 3);
    }
}

#[test]
fn of_two_who_dial_the_lower_number_stays() {
    let crossing = Standing::Dialling { greeted: true };
    let refused = meet(NodeId(1), &hello(2), crossing);
    assert!(matches!(refused, Meeting::Refuse(Refusal::Crossed, _)));
    assert_eq!(meet(NodeId(2), &hello(1), crossing), Meeting::Begin);
    // It may never get through, and the other has.
    let dialling = Standing::Dialling { greeted: false };
    assert_eq!(meet(NodeId(1), &hello(2), dialling), Meeting::Begin);
}

#[test]
fn who_dials_again_begins_again() {
    for standing in [
        Standing::Nothing,
        Standing::Half { session: 5 },
        Standing::Up,
    ] {
        assert_eq!(meet(NodeId(1), &hello(2), standing), Meeting::Begin);
        assert_eq!(meet(NodeId(2), &hello(1), standing), Meeting::Begin);
    }
}

#[test]
fn bulk_joins_only_its_session() {
    let bulk = identity(2).hello(5, Class::Bulk);
    let half = |session| Standing::Half { session };
    assert_eq!(meet(NodeId(1), &bulk, half(5)), Meeting::Join);
    let crossing = Standing::Dialling { greeted: true };
    for standing in [half(6), Standing::Up, Standing::Nothing, crossing] {
        let refused = meet(NodeId(1), &bulk, standing);
        assert!(matches!(refused, Meeting::Refuse(Refusal::Wrong, _)));
    }
}
