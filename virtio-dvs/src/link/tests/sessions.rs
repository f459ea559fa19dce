//! Sessions come and go.

use super::*;
use crate::link::LinkState;

#[test]
fn who_wants_a_node_gets_a_session_and_both_know() {
    let world = World::pair();
    let (one, two) = (world.nodes[0].view(TWO), world.nodes[1].view(ONE));
    assert_eq!((one.state, two.state), (LinkState::Up, LinkState::Up));
    assert_eq!((one.dialled_by, two.dialled_by), (Some(ONE), Some(ONE)));
    assert_eq!((one.version, two.version), (Some(2), Some(2)));
    assert!(!one.tls && two.address.is_none());
}
