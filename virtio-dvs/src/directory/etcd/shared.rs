//! What all tasks of the directory share, in one thread.

use crate::directory::etcd::connection::{Backoff, Fail, Trouble, ask, random};
use crate::directory::etcd::inbox::Inbox;
use crate::directory::etcd::keys::Keys;
use crate::directory::etcd::nodes::{Nodes, Presence};
use crate::directory::etcd::recall::Recall;
use crate::directory::etcd::records::{NodeRecord, Writer};
use crate::directory::etcd::snapshot::{Along, Snapshot};
use crate::directory::etcd::watches::Watches;
use crate::directory::{DirectoryError, NodeId, RequestId};
use etcd_client::{Client, Error};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

/// Looks, and changes, that are under way at once.
const REQUESTS_MAX: usize = 64;

/// How often it is said that etcd fails, at most.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

/// What all tasks share.
pub(super) struct Shared {
    pub(super) me: NodeId,
    /// Which run of this node it is.
    pub(super) instance: u64,
    pub(super) client: Client,
    pub(super) keys: Keys,
    pub(super) inbox: Arc<Inbox>,
    pub(super) watches: Watches,
    pub(super) recall: Recall,
    /// Somebody has written or deleted this node's key.
    pub(super) key_touched: Notify,
    /// The tenure of this node, while it has one.
    tenure: watch::Sender<Option<i64>>,
    nodes: RefCell<Nodes>,
    looks: Semaphore,
    changes: Semaphore,
    complained: Cell<Option<Instant>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(
        me: NodeId,
        client: Client,
        keys: Keys,
        inbox: Arc<Inbox>,
        watches: Watches,
    ) -> Shared {
        Shared {
            me,
            instance: random(),
            client,
            keys,
            inbox,
            watches,
            recall: Recall::default(),
            key_touched: Notify::new(),
            tenure: watch::Sender::new(None),
            nodes: RefCell::new(Nodes::new(me)),
            looks: Semaphore::new(REQUESTS_MAX),
            changes: Semaphore::new(REQUESTS_MAX),
            complained: Cell::new(None),
        }
    }

    pub(super) const fn writer(&self, request: RequestId) -> Writer {
        Writer {
            instance: self.instance,
            request: request.0,
        }
    }

    /// Asks etcd something. What fails is said in the log now and then.
    pub(super) async fn ask<T>(
        &self,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Fail> {
        ask(request).await.map_err(|trouble| {
            let said = self.complained.get();
            if said.is_none_or(|said| said.elapsed() >= COMPLAINT_INTERVAL) {
                self.complained.set(Some(Instant::now()));
                tracing::warn!("etcd does not do what it is asked: {trouble}");
            }
            Fail::Away(trouble)
        })
    }

    /// This node's tenure began, or it is over.
    pub(super) fn set_tenure(&self, tenure: Option<i64>) {
        self.tenure.send_replace(tenure);
    }

    /// Waits until this node holds its lease, and gives the tenure.
    async fn own_tenure(&self) -> i64 {
        let mut tenure = self.tenure.subscribe();
        loop {
            if let Some(tenure) = *tenure.borrow_and_update() {
                return tenure;
            }
            if tenure.changed().await.is_err() {
                // The sender is ours.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Makes a change until it is made or refused. `change` decides by what it reads, and may be
    /// called again after the change was made, when nobody knows whether it was.
    pub(super) async fn change<T>(
        &self,
        change: impl AsyncFn(&mut Snapshot<'_>) -> Result<T, Fail>,
    ) -> Result<T, DirectoryError> {
        self.change_and_read(change).await.map(|it| it.0)
    }

    /// The same; gives as well what was read along with it.
    pub(super) async fn change_and_read<T>(
        &self,
        change: impl AsyncFn(&mut Snapshot<'_>) -> Result<T, Fail>,
    ) -> Result<(T, Along), DirectoryError> {
        // Nobody closes the semaphore.
        let _permit = self.changes.acquire().await;
        let mut backoff = Backoff::new();
        loop {
            let tenure = self.own_tenure().await;
            match self.attempt(&change, tenure).await {
                // If the tenure is over by now the others have given up what was made in it.
                Ok(Some(value)) if *self.tenure.borrow() == Some(tenure) => return Ok(value),
                Ok(_) | Err(Fail::Away(_)) => backoff.pause().await,
                Err(Fail::Refused(error)) => return Err(error),
            }
        }
    }

    async fn attempt<T>(
        &self,
        change: &impl AsyncFn(&mut Snapshot<'_>) -> Result<T, Fail>,
        tenure: i64,
    ) -> Result<Option<(T, Along)>, Fail> {
        let mut snapshot = Snapshot::in_tenure(self, tenure);
        let value = change(&mut snapshot).await?;
        let along = snapshot.commit().await?;
        Ok(along.map(|along| (value, along)))
    }

    /// Looks until there is an answer.
    pub(super) async fn look<T>(&self, look: impl AsyncFn() -> Result<T, Trouble>) -> T {
        // Nobody closes the semaphore.
        let _permit = self.looks.acquire().await;
        let mut backoff = Backoff::new();
        loop {
            match look().await {
                Ok(seen) => return seen,
                Err(_) => backoff.pause().await,
            }
        }
    }

    /// The tenure of a node, as far as is known.
    pub(super) fn tenure_of(&self, node: NodeId) -> Option<i64> {
        self.nodes.borrow().tenure(node)
    }

    /// Looks whether a node is there.
    pub(super) async fn look_for_node(
        &self,
        snapshot: &mut Snapshot<'_>,
        node: NodeId,
    ) -> Result<Option<i64>, Fail> {
        let mut client = self.client.kv_client();
        let key = self.keys.node(node);
        let answer = self.ask(client.get(key.as_str(), None)).await?;
        let revision = answer.header().map_or(0, |header| header.revision());
        let presence = answer.kvs().first().map(presence).transpose()?;
        let tenure = presence.as_ref().map(|presence| presence.tenure);
        // A key that is not there was created in revision 0.
        snapshot.only_while(key, tenure.unwrap_or(0));
        self.learn(node, presence, revision);
        Ok(tenure)
    }

    /// A node was seen.
    pub(super) fn learn(&self, node: NodeId, presence: Option<Presence>, revision: i64) {
        let news = self.nodes.borrow_mut().learn(node, presence, revision);
        news.into_iter().for_each(|news| self.inbox.news(news));
    }

    /// All nodes were seen.
    pub(super) fn learn_all(&self, present: BTreeMap<NodeId, Presence>, revision: i64) {
        let news = self.nodes.borrow_mut().learn_all(present, revision);
        news.into_iter().for_each(|news| self.inbox.news(news));
    }
}

/// What a node's key says.
pub(super) fn presence(key: &etcd_client::KeyValue) -> Result<Presence, DirectoryError> {
    let record: NodeRecord = super::records::decode(key.key(), key.value())?;
    Ok(Presence {
        tenure: key.create_revision(),
        address: record.address,
        instance: record.instance,
    })
}
