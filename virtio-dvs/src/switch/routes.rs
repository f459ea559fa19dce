//! Where VMs of other nodes live, as far as this node has heard from the directory.

use crate::directory::{Lives, Location, NodeId};
use crate::switch::PortId;
use std::collections::{BTreeMap, BTreeSet};

/// Most routes that are kept beside those that a local VM needs.
pub const ROUTES_MAX: usize = 65_536;
/// Routes that are looked at to find one that is not needed.
const EVICTION_LOOKS: usize = 64;
/// Destinations of one VM elsewhere that are remembered until it is known; more count as all.
const WAITING_MAX: usize = 64;

/// A frame to a VM was dropped before it was known where that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    /// The life that it was for.
    incarnation: u32,
    /// The directory was asked after it had come.
    asked_since: bool,
}

/// What is known of one VM that does not live here.
#[derive(Debug, Default)]
pub(super) struct Route {
    lives: Lives,
    /// The directory was asked and has not answered.
    asked: bool,
    /// The node of this placement says that the VM is not there.
    denied: Option<u32>,
    waiting: BTreeMap<PortId, Waiting>,
    /// Ports that have sent to it, be it an acknowledgement only.
    senders: BTreeSet<PortId>,
    /// Nodes whose frames from this VM were dropped, and for which VM here; 0: for several.
    claims: BTreeSet<(NodeId, u32)>,
}

/// What a frame finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The life goes on, there.
    At(Location),
    /// The life is over.
    Over,
    /// It must be seen first; whether the directory has to be asked.
    Unknown { ask: bool },
}

/// What the directory's word changes for those who wait.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// This life was known and is over now.
    pub(super) ended: Option<Location>,
    /// The life goes on at another place: whatever was sent to the old one is sent again.
    pub(super) moved: bool,
    /// These may send again.
    pub(super) retry: Vec<PortId>,
    /// For these the life is over.
    pub(super) gone: Vec<(PortId, u32)>,
    /// These nodes may send again what they have from this VM, to this VM here; 0: to any.
    pub(super) claims: BTreeSet<(NodeId, u32)>,
    /// The answer may be older than a question: ask once more.
    pub(super) ask: bool,
}

impl Route {
    /// Where the VM lives, if it is not known to be elsewhere.
    pub(super) fn location(&self) -> Option<Location> {
        self.lives
            .current
            .filter(|it| self.denied != Some(it.epoch))
    }

    /// Whether this port has sent to it.
    pub(super) fn is_sent_to_by(&self, id: PortId) -> bool {
        self.senders.contains(&id)
    }

    fn is_over(&self, incarnation: u32) -> bool {
        let current = self.lives.current.map(|it| it.incarnation);
        incarnation <= self.lives.last && current != Some(incarnation)
    }

    /// Whether the directory must be asked now; it is, from here on.
    pub(super) fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    /// Where is this life, to which `from` has a frame? Unless that is known, `from` waits.
    pub(super) fn find(&mut self, from: PortId, incarnation: u32) -> Found {
        if self.is_over(incarnation) {
            return Found::Over;
        }
        self.senders.insert(from);
        let current = self
            .lives
            .current
            .filter(|it| it.incarnation == incarnation);
        if let Some(location) = current.filter(|it| !self.asked && self.denied != Some(it.epoch)) {
            self.waiting.remove(&from);
            return Found::At(location);
        }
        // With a placement that is denied, only news can help.
        let ask = current.is_none() && self.ask();
        let waiting = self.waiting.entry(from).or_insert(Waiting {
            incarnation,
            asked_since: ask,
        });
        if waiting.incarnation != incarnation {
            *waiting = Waiting {
                incarnation,
                asked_since: ask,
            };
        }
        Found::Unknown { ask }
    }

    /// Does this life, in this epoch, live at `node`, as a frame to VM `to` from there says? Unless
    /// that is known, the node waits.
    pub(super) fn check(
        &mut self,
        node: NodeId,
        incarnation: u32,
        epoch: u32,
        to: u32,
    ) -> Result<Location, Found> {
        if self.is_over(incarnation) {
            return Err(Found::Over);
        }
        let current = self.lives.current;
        if let Some(location) = current.filter(|it| it.epoch >= epoch) {
            let same = location.incarnation == incarnation && location.epoch == epoch;
            return if same && location.node == node {
                Ok(location)
            } else {
                Err(Found::At(location))
            };
        }
        let ask = self.ask();
        if self.claims.len() < WAITING_MAX {
            self.claims.insert((node, to));
        } else {
            self.claims.retain(|it| it.0 != node);
            self.claims.insert((node, 0));
        }
        Err(Found::Unknown { ask })
    }

    /// The node of that epoch says that the VM is not there; true: the directory must be asked.
    pub(super) fn deny(&mut self, epoch: u32) -> bool {
        let current = self.lives.current.filter(|it| it.epoch <= epoch);
        let Some(location) = current else {
            return false;
        };
        self.denied.replace(location.epoch) != Some(location.epoch) && self.ask()
    }

    /// The node where the VM lives is there anew: what it said before does not count.
    pub(super) fn believe_again(&mut self) {
        self.denied = None;
    }

    /// The directory has answered.
    pub(super) fn answered(&mut self, lives: Lives) -> Heard {
        self.asked = false;
        let mut heard = self.learn(lives);
        for (&port, waiting) in &mut self.waiting {
            if waiting.asked_since {
                // Nobody has heard of that life, and whoever named it did so before we asked.
                heard.gone.push((port, waiting.incarnation));
            }
            waiting.asked_since = true;
        }
        let current = self.lives.current.map(|it| it.incarnation);
        heard.gone.retain(|it| Some(it.1) != current);
        for (port, _) in &heard.gone {
            self.waiting.remove(port);
        }
        // With a placement that is denied, asking again would say the same.
        heard.ask = self
            .waiting
            .values()
            .any(|it| Some(it.incarnation) != current)
            && self.ask();
        heard.claims = std::mem::take(&mut self.claims);
        heard
    }

    /// News, or an answer: what was known and is newer stays.
    pub(super) fn learn(&mut self, lives: Lives) -> Heard {
        let before = self.lives;
        let older = |one: Option<Location>, other: Option<Location>| {
            one.map_or(0, |it| it.epoch) < other.map_or(0, |it| it.epoch)
        };
        let dead = |it: &Location| it.incarnation <= lives.last;
        let current = match (before.current, lives.current) {
            (Some(known), None) if !dead(&known) => Some(known),
            (Some(known), Some(_)) if older(lives.current, before.current) => Some(known),
            (None, Some(told)) if told.incarnation <= before.last => None,
            (_, told) => told,
        };
        self.lives = Lives {
            last: before.last.max(lives.last),
            current,
        };
        let ended = before.current.filter(|it| self.is_over(it.incarnation));
        let moved = |known: Location, now: Location| {
            known.incarnation == now.incarnation && known.epoch < now.epoch
        };
        let mut heard = Heard {
            ended,
            moved: before
                .current
                .zip(current)
                .is_some_and(|(known, now)| moved(known, now)),
            ..Heard::default()
        };
        let location = self.location();
        let waiting = std::mem::take(&mut self.waiting);
        for (port, it) in waiting {
            if self.is_over(it.incarnation) {
                heard.gone.push((port, it.incarnation));
            } else if location.is_some_and(|at| at.incarnation == it.incarnation) && !self.asked {
                heard.retry.push(port);
            } else {
                self.waiting.insert(port, it);
            }
        }
        heard
    }

    /// The VM is at this node now: its life elsewhere is over, and whoever waits may see for itself.
    pub(super) fn comes_here(mut self) -> Heard {
        let mut heard = self.lost();
        heard.retry.extend(self.waiting.keys());
        heard.claims = self.claims;
        heard
    }

    /// The VM was at this node until now.
    pub(super) fn was_at(&mut self, here: Location) {
        self.learn(Lives {
            last: here.incarnation,
            current: Some(here),
        });
    }

    /// The VM comes to this node alive. Whoever waits may see for itself.
    pub(super) fn comes_alive(mut self, lives: Lives) -> Heard {
        let mut heard = self.learn(lives);
        heard.retry.extend(self.waiting.keys());
        heard.claims = self.claims;
        heard
    }

    /// The life that is known is over.
    pub(super) fn lost(&mut self) -> Heard {
        let last = self.lives.current.map_or(0, |it| it.incarnation);
        self.learn(Lives {
            last: last.max(self.lives.last),
            current: None,
        })
    }
}

/// All routes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    table: BTreeMap<u32, Route>,
    /// Where the search for one that is not needed goes on.
    cursor: u32,
}

impl Routes {
    pub(super) fn get(&self, vm: u32) -> Option<&Route> {
        self.table.get(&vm)
    }

    pub(super) fn get_mut(&mut self, vm: u32) -> Option<&mut Route> {
        self.table.get_mut(&vm)
    }

    pub(super) fn entry(&mut self, vm: u32) -> &mut Route {
        self.table.entry(vm).or_default()
    }

    pub(super) fn remove(&mut self, vm: u32) -> Option<Route> {
        self.table.remove(&vm)
    }

    /// How many routes there are, and how many ports and nodes wait for one.
    pub(super) fn usage(&self) -> (usize, usize, usize) {
        let waiting = self.table.values().map(|it| it.waiting.len()).sum();
        let claims = self.table.values().map(|it| it.claims.len()).sum();
        (self.table.len(), waiting, claims)
    }

    /// VMs that live at a node.
    pub(super) fn at(&self, node: NodeId) -> Vec<u32> {
        self.living_at(node).map(|it| *it.0).collect()
    }

    fn living_at(&self, node: NodeId) -> impl Iterator<Item = (&u32, &Route)> {
        let there = move |route: &Route| route.lives.current.is_some_and(|it| it.node == node);
        self.table.iter().filter(move |it| there(it.1))
    }

    /// Whether any port has sent to a VM that lives at a node.
    pub(super) fn is_sent_to(&self, node: NodeId) -> bool {
        self.living_at(node).any(|it| !it.1.senders.is_empty())
    }

    /// Whoever waits at this port does not any more.
    pub(super) fn forget_port(&mut self, id: PortId) {
        for route in self.table.values_mut() {
            route.waiting.remove(&id);
            route.senders.remove(&id);
        }
    }

    /// Finds a route that nobody here needs, if there are too many.
    pub(super) fn superfluous(&mut self, is_needed: impl Fn(u32) -> bool) -> Option<u32> {
        if self.table.len() < ROUTES_MAX {
            return None;
        }
        let after = self.table.range(self.cursor.saturating_add(1)..);
        let looked: Vec<u32> = after
            .chain(self.table.iter())
            .take(EVICTION_LOOKS)
            .filter(|it| it.1.waiting.is_empty())
            .map(|it| *it.0)
            .collect();
        self.cursor = looked.last().copied().unwrap_or_default();
        looked.into_iter().find(|&vm| !is_needed(vm))
    }
}

#[cfg(test)]
#[path = "routes_test.rs"]
mod tests;
