use super::*;
use crate::directory::NodeId;
use crate::link::{LinkCounters, LinkState};

fn view() -> SessionView {
    SessionView {
        node: NodeId(7),
        address: Some("[fd00::7]:9462".to_owned()),
        state: LinkState::Up,
        since: Some(Duration::from_secs(2)),
        until: None,
        dialled_by: Some(NodeId(3)),
        tls: true,
        version: Some(1),
        lz4: true,
        message: LinkCounters {
            frames_in: 1,
            bytes_out: 10,
            no_room: 4,
            ..LinkCounters::default()
        },
        bulk: LinkCounters {
            frames_in: 2,
            bytes_out: 20,
            ..LinkCounters::default()
        },
        rtt: Some(Duration::from_micros(150)),
        last_error: None,
    }
}

#[test]
fn both_connections_of_a_session_are_one_link() {
    let info = link_info(view(), Duration::from_secs(5));
    assert_eq!((info.frames_in, info.bytes_out, info.dropped), (3, 30, 4));
    assert_eq!((info.since_ms, info.rtt_us), (Some(3000), Some(150)));
    assert_eq!(info.dialled_by_us, Some(true));
}

#[test]
fn a_session_that_the_other_node_dialled() {
    let mut view = view();
    view.dialled_by = Some(NodeId(7));
    assert_eq!(link_info(view, Duration::ZERO).dialled_by_us, Some(false));
}
