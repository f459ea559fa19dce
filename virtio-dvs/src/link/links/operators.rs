//! What operators see.

use super::{Links, Peer};
use crate::directory::NodeId;
use crate::frame::Class;
use crate::link::view::{LinkCounters, LinkState, SessionView};

impl Links {
    /// All peers, in the order of their numbers.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView> {
        self.peers.iter().map(|(node, peer)| self.view(*node, peer))
    }

    fn view(&self, node: NodeId, peer: &Peer) -> SessionView {
        let session = peer.session.as_ref();
        let up = session.and_then(|it| it.up);
        let agreed = session.and_then(|it| it.agreed).filter(|_| up.is_some());
        let state = match session {
            Some(_) if up.is_some() => LinkState::Up,
            Some(_) => LinkState::Connecting,
            None if peer.dial_at.is_some() => LinkState::Waiting,
            None => LinkState::Idle,
        };
        let me = self.config.me;
        let slot = session.and_then(|it| it.slots[Class::Message.index()]);
        let rtt = slot.and_then(|slot| self.connections.get(slot)?.rtt);
        SessionView {
            node,
            address: peer.address.clone(),
            state,
            since: up,
            until: peer.dial_at,
            dialled_by: session.map(|it| if it.dialled { me } else { node }),
            tls: self.tls.is_some(),
            version: agreed.map(|it| it.version),
            lz4: agreed.is_some_and(|it| it.lz4),
            message: self.counts(peer, Class::Message),
            bulk: self.counts(peer, Class::Bulk),
            rtt: rtt.or(peer.rtt),
            last_error: peer.last_error.clone(),
        }
    }

    fn counts(&self, peer: &Peer, class: Class) -> LinkCounters {
        let mut counts = peer.past[class.index()];
        let session = peer.session.as_ref();
        let slot = session.and_then(|it| it.slots[class.index()]);
        if let Some(connection) = slot.and_then(|slot| self.connections.get(slot)) {
            counts.add(&connection.counters);
        }
        counts
    }
}
