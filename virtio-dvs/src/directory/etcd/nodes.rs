//! Which nodes there are, as far as this one has heard. Pure.

use crate::directory::{News, NodeId};
use std::collections::BTreeMap;

/// A node that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Presence {
    /// Its lives began in this tenure: the revision that created its key.
    pub(super) tenure: i64,
    /// Where it listens for links.
    pub(super) address: String,
    /// Which run of the node it is. One that was started again in time is in the same tenure.
    pub(super) instance: u64,
}

#[derive(Debug)]
struct Known {
    /// The revision that this is known of; older tales are not believed.
    revision: i64,
    presence: Option<Presence>,
}

/// All nodes that this one has heard of.
#[derive(Debug)]
pub(super) struct Nodes {
    me: NodeId,
    known: BTreeMap<NodeId, Known>,
}

impl Nodes {
    pub(super) fn new(me: NodeId) -> Nodes {
        let known = BTreeMap::new();
        Nodes { me, known }
    }

    /// The tenure of a node that is there.
    pub(super) fn tenure(&self, node: NodeId) -> Option<i64> {
        let known = self.known.get(&node)?;
        known.presence.as_ref().map(|presence| presence.tenure)
    }

    /// A node was seen as of `revision`. Gives what is new.
    pub(super) fn learn(
        &mut self,
        node: NodeId,
        presence: Option<Presence>,
        revision: i64,
    ) -> Vec<News> {
        let known = self.known.entry(node).or_insert(Known {
            revision: 0,
            presence: None,
        });
        if revision <= known.revision {
            return Vec::new();
        }
        known.revision = revision;
        let before = std::mem::replace(&mut known.presence, presence);
        if node == self.me || before == known.presence {
            return Vec::new();
        }
        let tenure = |presence: &Option<Presence>| presence.as_ref().map(|it| it.tenure);
        let mut news = Vec::new();
        if before.is_some() && tenure(&before) != tenure(&known.presence) {
            news.push(News::NodeLost(node));
        }
        if let Some(Presence { address, .. }) = &known.presence {
            let address = address.clone();
            news.push(News::Node { node, address });
        }
        news
    }

    /// These nodes are there as of `revision`, and no others.
    pub(super) fn learn_all(
        &mut self,
        mut present: BTreeMap<NodeId, Presence>,
        revision: i64,
    ) -> Vec<News> {
        let gone = self.known.keys().filter(|node| !present.contains_key(node));
        let gone: Vec<NodeId> = gone.copied().collect();
        let mut news = Vec::new();
        for node in gone {
            news.extend(self.learn(node, None, revision));
        }
        while let Some((node, presence)) = present.pop_first() {
            news.extend(self.learn(node, Some(presence), revision));
        }
        news
    }
}

#[cfg(test)]
#[path = "nodes_test.rs"]
mod tests;
