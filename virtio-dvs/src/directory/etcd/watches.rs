//! What this node has asked to hear of, and what it has heard.

use crate::directory::etcd::connection::Fail;
use crate::directory::etcd::keys::Keys;
use crate::directory::etcd::records::{self, NodeRecord, VmRecord};
use crate::directory::etcd::shared::{Shared, presence};
use crate::directory::{Interest, Lives, News};
use etcd_client::KeyValue;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use tokio::sync::mpsc::UnboundedSender;

/// The watch on all nodes.
pub(super) const NODES: i64 = 1;

/// What the stream of watches is to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Watch a key from this revision on.
    Watch { id: i64, key: String, from: i64 },
    /// Stop that.
    Cancel { id: i64 },
}

#[derive(Debug, Default)]
struct Watched {
    /// What was said last is of this revision.
    said: i64,
    /// Of the watch, once there is one.
    id: Option<i64>,
}

/// What this node has asked to hear of.
#[derive(Debug)]
pub(super) struct Watches {
    wanted: RefCell<BTreeMap<Interest, Watched>>,
    ids: RefCell<BTreeMap<i64, Interest>>,
    last_id: Cell<i64>,
    orders: UnboundedSender<Order>,
}

impl Watches {
    pub(super) fn new(orders: UnboundedSender<Order>) -> Watches {
        Watches {
            wanted: RefCell::default(),
            ids: RefCell::default(),
            last_id: Cell::new(NODES),
            orders,
        }
    }

    /// From the next look on the node wants to hear of it.
    pub(super) fn want(&self, interest: Interest) {
        self.wanted.borrow_mut().entry(interest).or_default();
    }

    pub(super) fn unwatch(&self, interest: Interest) {
        let watched = self.wanted.borrow_mut().remove(&interest);
        if let Some(id) = watched.and_then(|watched| watched.id) {
            self.ids.borrow_mut().remove(&id);
            self.order(Order::Cancel { id });
        }
    }

    /// It was looked for, as of `revision`; what comes after that is watched. Gives whether that is
    /// news: it is still wanted, and nothing later was said.
    pub(super) fn looked(&self, keys: &Keys, interest: Interest, revision: i64) -> bool {
        let mut wanted = self.wanted.borrow_mut();
        let Some(watched) = wanted.get_mut(&interest) else {
            return false;
        };
        if watched.id.is_none() {
            let id = self.last_id.get() + 1;
            self.last_id.set(id);
            watched.id = Some(id);
            self.ids.borrow_mut().insert(id, interest);
            let key = match interest {
                Interest::Vm(vm) => keys.vm(vm),
                Interest::Endpoint(endpoint) => keys.endpoint(endpoint),
            };
            let from = revision + 1;
            self.order(Order::Watch { id, key, from });
        }
        let is_news = revision >= watched.said;
        watched.said = watched.said.max(revision);
        is_news
    }

    /// Whether an event of `revision` is news.
    fn is_news(&self, interest: Interest, revision: i64) -> bool {
        let mut wanted = self.wanted.borrow_mut();
        let newer = |watched: &&mut Watched| revision > watched.said;
        let Some(watched) = wanted.get_mut(&interest).filter(newer) else {
            return false;
        };
        watched.said = revision;
        true
    }

    /// A watch ended by itself.
    pub(super) fn ended(&self, id: i64) -> Option<Interest> {
        let interest = self.ids.borrow_mut().remove(&id)?;
        if let Some(watched) = self.wanted.borrow_mut().get_mut(&interest) {
            watched.id = None;
        }
        Some(interest)
    }

    /// All watches ended with their stream. Gives what was watched.
    pub(super) fn all_ended(&self) -> Vec<Interest> {
        self.ids.borrow_mut().clear();
        let mut wanted = self.wanted.borrow_mut();
        wanted.values_mut().for_each(|watched| watched.id = None);
        wanted.keys().copied().collect()
    }

    pub(super) fn interest(&self, id: i64) -> Option<Interest> {
        self.ids.borrow().get(&id).copied()
    }

    fn order(&self, order: Order) {
        // Without a stream that takes orders the directory is closed.
        let _ = self.orders.send(order);
    }
}

impl Shared {
    /// Looks again at what is watched, and tells.
    pub(super) async fn look_again(&self, interest: Interest) {
        match interest {
            Interest::Vm(vm) => {
                let (lives, revision) = self.look(async || self.locate(vm).await).await;
                if self.watches.looked(&self.keys, interest, revision) {
                    self.inbox.news(News::Vm { vm, lives });
                }
            }
            Interest::Endpoint(endpoint) => {
                let (found, revision) = self.look(async || self.find(endpoint).await).await;
                let is_news = self.watches.looked(&self.keys, interest, revision);
                if let Some(found) = found.filter(|_| is_news) {
                    self.inbox.news(News::Bound { endpoint, found });
                }
            }
        }
    }

    /// The key of something that is watched was written or deleted.
    pub(super) fn changed(self: &Rc<Self>, interest: Interest, event: &KeyValue) {
        let plain = match interest {
            Interest::Vm(vm) => self.lives_in(event).map(|lives| (vm, lives)),
            Interest::Endpoint(_) => None,
        };
        let Some((vm, lives)) = plain else {
            let shared = self.clone();
            tokio::task::spawn_local(async move { shared.look_again(interest).await });
            return;
        };
        if self.watches.is_news(interest, event.mod_revision()) {
            self.inbox.news(News::Vm { vm, lives });
        }
    }

    /// What the record of a VM says, if it needs no look at its node.
    fn lives_in(&self, event: &KeyValue) -> Option<Lives> {
        let record: VmRecord = records::decode(event.key(), event.value()).ok()?;
        let last = record.incarnation;
        let Some(life) = record.life else {
            return Some(Lives {
                last,
                current: None,
            });
        };
        let tenure = self.tenure_of(record.node)?;
        let current = record.location(tenure);
        (tenure == life.tenure).then_some(Lives { last, current })
    }

    /// The key of a node was written or deleted.
    pub(super) fn node_changed(&self, event: &KeyValue) {
        let Some(node) = self.keys.node_of(event.key()) else {
            return;
        };
        let deleted = event.create_revision() == 0;
        if node == self.me && (deleted || !self.is_by_me(event)) {
            self.key_touched.notify_one();
        }
        let presence = match (!deleted).then(|| presence(event)).transpose() {
            Ok(presence) => presence,
            Err(error) => {
                tracing::error!("{error}");
                return;
            }
        };
        self.learn(node, presence, event.mod_revision());
    }

    fn is_by_me(&self, event: &KeyValue) -> bool {
        let record = records::decode::<NodeRecord>(event.key(), event.value());
        record.is_ok_and(|record| record.instance == self.instance)
    }

    /// Looks which nodes there are. Gives as of which revision.
    pub(super) async fn look_at_nodes(&self) -> Result<i64, Fail> {
        let keys = self.all_below(self.keys.nodes(), false).await?;
        let mut present = BTreeMap::new();
        for key in &keys.found {
            let Some(node) = self.keys.node_of(key.key()) else {
                continue;
            };
            match presence(key) {
                Ok(presence) => {
                    present.insert(node, presence);
                }
                Err(error) => tracing::error!("{error}"),
            }
        }
        self.learn_all(present, keys.revision);
        Ok(keys.revision)
    }
}
