//! Whether this node may talk to others: the lease in the directory, and what the others say of
//! theirs.
//!
//! Whoever cannot renew its lease must be silent before it ends, since the others give it up then.
//! But if the directory is away for all, nobody is given up, and there is no reason to stop: a node
//! that is in doubt goes on as long as every other node says that the directory does not answer it
//! either. One that says otherwise, or nothing, is enough to stop. So what is told early is that the
//! directory does not answer, while the lease is sure to be held for some time.
//!
//! What this cannot see: all nodes are cut off from a directory that goes on without them, and one
//! of them comes back. Until its word has reached the others they go on for a moment.

use crate::directory::{Lease, NodeId};
use crate::frame::VM_NODE;
use crate::switch::Switch;
use crate::switch::peer::Notice;
use crate::switch::port::{Life, Port, Stage};
use std::collections::BTreeSet;

/// What this node knows of leases.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Its own; `None` before there is one.
    lease: Option<Lease>,
    /// The other nodes that hold theirs, as far as the directory has told.
    members: BTreeSet<NodeId>,
    good: bool,
}

impl Standing {
    /// Whether frames may go to other nodes and come from them.
    pub(super) const fn is_good(&self) -> bool {
        self.good
    }

    /// Whether the directory has stopped to answer.
    fn is_in_trouble(&self) -> bool {
        matches!(self.lease, Some(Lease::Unanswered | Lease::Doubtful))
    }

    /// Whether the directory answers.
    pub(super) fn is_answered(&self) -> bool {
        self.lease == Some(Lease::Held)
    }
}

impl Switch {
    /// About this node's lease.
    pub(super) fn lease(&mut self, lease: Lease) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        let before = cluster.standing.is_answered();
        cluster.standing.lease = Some(lease);
        let answers = cluster.standing.is_answered();
        let in_trouble = cluster.standing.is_in_trouble();
        if before != answers {
            self.tell_all(Notice::Directory { answers });
        }
        if in_trouble {
            self.dial_all();
        }
        if lease == Lease::Lapsed {
            self.renew_all();
        }
        self.judge_standing();
    }

    /// Another node is there.
    pub(super) fn node_joined(&mut self, node: NodeId) {
        if let Some(cluster) = &mut self.cluster {
            cluster.standing.members.insert(node);
            if cluster.standing.is_in_trouble() {
                self.dial_all();
            }
            self.judge_standing();
        }
    }

    /// Another node has lost its lease.
    pub(super) fn node_left(&mut self, node: NodeId) {
        if let Some(cluster) = &mut self.cluster {
            cluster.standing.members.remove(&node);
            self.judge_standing();
        }
    }

    /// A session has begun: the other node believes that we are answered until we say otherwise.
    pub(super) fn greet(&mut self, node: NodeId) {
        if self
            .cluster
            .as_ref()
            .is_some_and(|it| !it.standing.is_answered())
        {
            self.notify(node, Notice::Directory { answers: false });
        }
    }

    /// Another node says whether the directory answers it.
    pub(super) fn peer_is_answered(&mut self, node: NodeId, answers: bool) {
        if let Some(link) = self.link_mut(node) {
            link.unanswered = !answers;
        }
        self.judge_standing();
    }

    /// Whether frames may go on, from what is known now.
    pub(super) fn judge_standing(&mut self) {
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        let links = &cluster.links;
        let in_doubt_too = |node| links.get(node).is_some_and(|it| it.up && it.unanswered);
        let standing = &mut cluster.standing;
        let good = match standing.lease {
            Some(Lease::Held | Lease::Unanswered) => true,
            // Whoever has not heard of any other yet cannot know that all are in doubt.
            Some(Lease::Doubtful) => {
                !standing.members.is_empty() && standing.members.iter().all(in_doubt_too)
            }
            Some(Lease::Lapsed) | None => false,
        };
        let before = std::mem::replace(&mut standing.good, good);
        if good && !before {
            self.go_on();
        }
    }

    /// Frames were dropped on both sides of all links: they are sent again.
    fn go_on(&mut self) {
        self.tell_all(Notice::Retry { vm: VM_NODE });
        for id in self.ports().collect::<Vec<_>>() {
            if self.port(id).is_some_and(|it| it.running) {
                self.say_retry(id, VM_NODE);
            }
        }
    }

    /// The others have given up all lives of this node's VMs: each begins a new one.
    fn renew_all(&mut self) {
        for id in self.ports().collect::<Vec<_>>() {
            let alive = |port: &&mut Port| matches!(port.life, Life::Alive(_));
            match self.port_mut(id).filter(alive) {
                // Somebody may take it before, and would have to take what is new again.
                Some(port) if port.stage == Stage::Held => port.given_up = true,
                // It was given back: whoever takes it begins it, or it is over when nobody does.
                Some(port) if port.forgotten => {}
                Some(_) => self.renew(id),
                None => {}
            }
        }
    }

    /// To hear what the others say, there must be sessions with all of them.
    fn dial_all(&mut self) {
        let members = self.cluster.as_ref().map(|it| it.standing.members.clone());
        for node in members.into_iter().flatten() {
            self.dial(node);
        }
    }

    /// Has a session made with a node, unless there is one.
    pub(super) fn dial(&mut self, node: NodeId) {
        let cluster = self.cluster.as_mut();
        let dial = cluster.and_then(|it| it.is_linked(node).err());
        self.actions.extend(dial.flatten());
    }

    fn tell_all(&mut self, notice: Notice) {
        let links = self.cluster.iter().flat_map(|it| &it.links);
        let linked: Vec<NodeId> = links.filter(|it| it.1.up).map(|it| *it.0).collect();
        for node in linked {
            self.notify(node, notice);
        }
    }
}

#[cfg(test)]
#[path = "standing_test.rs"]
mod tests;
