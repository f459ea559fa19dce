//! This node's lease: its claim to its number, and how it is kept.

use crate::directory::etcd::connection::{Backoff, Fail, Trouble, in_time};
use crate::directory::etcd::nodes::Presence;
use crate::directory::etcd::records::{self, NodeRecord};
use crate::directory::etcd::shared::Shared;
use crate::directory::{Lease, News};
use etcd_client::{Compare, CompareOp, Error, KeyValue, PutOptions, Txn, TxnOp};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Renewals in the time of a lease. So many that a directory that does not answer is noticed long
/// before the lease is in doubt.
const RENEWALS: u32 = 6;

/// How a claim ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The number is ours.
    Ours {
        /// It was before, and nobody else has had it since.
        before: bool,
    },
    /// A node at this address has it, and renews its lease.
    InUse(String),
}

/// A lease that was granted.
#[derive(Debug, Clone, Copy)]
struct Grant {
    lease: i64,
    asked: Instant,
}

/// How an attempt to renew the lease ended.
enum Renewal {
    Renewed,
    /// There is no such lease any more.
    Gone,
    /// Nobody knows.
    Failed,
}

/// This node's lease.
#[derive(Debug)]
pub(super) struct Session {
    shared: Rc<Shared>,
    record: NodeRecord,
    ttl: Duration,
    lease: i64,
    /// When the last renewal that was answered was asked for.
    renewed: Instant,
    tenure: Option<i64>,
    /// What was said of it last.
    told: Lease,
}

impl Session {
    pub(super) fn new(shared: Rc<Shared>, address: &str, boot: &str, ttl: Duration) -> Session {
        let record = NodeRecord {
            address: address.to_owned(),
            instance: shared.instance,
            boot: boot.to_owned(),
        };
        Session {
            shared,
            record,
            ttl,
            lease: 0,
            renewed: Instant::now(),
            tenure: None,
            told: Lease::Held,
        }
    }

    /// Claims this node's number under a new lease.
    ///
    /// An earlier run of this node is known by its address and the boot of its host: only one process
    /// can listen there, and that is us. Its key is taken over in one step, so that its lives go on.
    /// Any other node has the number until it stops renewing its lease; so has one that took it from
    /// us while we run. Lives of an earlier boot are over.
    pub(super) async fn claim(&mut self) -> Result<Claim, Fail> {
        let key = self.shared.keys.node(self.shared.me);
        loop {
            let mut client = self.shared.client.kv_client();
            let look = self.shared.ask(client.get(key.as_str(), None));
            // At once, since a node that is started again is waited for.
            let (answer, mut grant) = tokio::try_join!(look, self.grant())?;
            let Some(found) = answer.kvs().first() else {
                if self.write(&key, None, grant).await? {
                    return Ok(Claim::Ours { before: false });
                }
                continue;
            };
            let old: NodeRecord = records::decode(found.key(), found.value())?;
            let before = self.was_ours(&old);
            if !before {
                if self.is_renewed(found.lease()).await? {
                    return Ok(Claim::InUse(old.address));
                }
                grant = self.grant().await?;
            }
            if old.boot != self.record.boot {
                self.remove(&key, found).await?;
            } else if self.write(&key, Some(found), grant).await? {
                return Ok(Claim::Ours { before });
            }
        }
    }

    fn was_ours(&self, old: &NodeRecord) -> bool {
        let same_place = old.address == self.record.address && old.boot == self.record.boot;
        let starts = self.tenure.is_none();
        old.instance == self.record.instance || (starts && same_place)
    }

    /// Waits until the lease of another node would be doubtful if it were not renewed.
    async fn is_renewed(&self, lease: i64) -> Result<bool, Fail> {
        let mut client = self.shared.client.lease_client();
        let before = self.shared.ask(client.time_to_live(lease, None)).await?;
        let doubtful = before.granted_ttl() / 3;
        let wait = u64::try_from(before.ttl() - doubtful).unwrap_or(0);
        let wait = Duration::from_secs(wait);
        tracing::info!("another node has this node's number; waiting {wait:?} for it to be gone");
        tokio::time::sleep(wait).await;
        let after = self.shared.ask(client.time_to_live(lease, None)).await?;
        Ok(after.ttl() > doubtful)
    }

    async fn remove(&self, key: &str, old: &KeyValue) -> Result<(), Fail> {
        let unchanged = Compare::mod_revision(key, CompareOp::Equal, old.mod_revision());
        let removal = Txn::new()
            .when([unchanged])
            .and_then([TxnOp::delete(key, None)]);
        let mut client = self.shared.client.kv_client();
        self.shared.ask(client.txn(removal)).await?;
        Ok(())
    }

    /// A new lease. One that is not used runs out by itself.
    async fn grant(&self) -> Result<Grant, Fail> {
        let asked = Instant::now();
        let ttl = i64::try_from(self.ttl.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
        let mut client = self.shared.client.lease_client();
        let lease = self.shared.ask(client.grant(ttl, None)).await?.id();
        Ok(Grant { lease, asked })
    }

    /// Writes this node's key under a new lease if it is as it was. Gives whether it did.
    async fn write(
        &mut self,
        key: &str,
        old: Option<&KeyValue>,
        Grant { lease, asked }: Grant,
    ) -> Result<bool, Fail> {
        let before = old.map_or(0, KeyValue::mod_revision);
        let unchanged = Compare::mod_revision(key, CompareOp::Equal, before);
        let value = records::encode(&self.record)?;
        let options = PutOptions::new().with_lease(lease);
        let claim = Txn::new()
            .when([unchanged])
            .and_then([TxnOp::put(key, value, Some(options))]);
        let mut client = self.shared.client.kv_client();
        let answer = self.shared.ask(client.txn(claim)).await?;
        if !answer.succeeded() {
            return Ok(false);
        }
        let revision = answer.header().map_or(0, |header| header.revision());
        self.lease = lease;
        self.renewed = asked;
        self.begin(old.map_or(revision, KeyValue::create_revision), revision);
        Ok(true)
    }

    /// The number is ours in this tenure as of `revision`.
    fn begin(&mut self, tenure: i64, revision: i64) {
        let shared = &self.shared;
        let address = self.record.address.clone();
        let presence = Presence {
            tenure,
            address,
            instance: self.record.instance,
        };
        shared.learn(shared.me, Some(presence), revision);
        // Who created the key just now knows that the lives before are over.
        let goes_on = self.tenure.map_or(tenure != revision, |it| it == tenure);
        if !goes_on {
            shared.inbox.news(News::Lease(Lease::Lapsed));
        }
        self.tenure = Some(tenure);
        self.told = Lease::Held;
        shared.set_tenure(self.tenure);
        shared.inbox.news(News::Lease(Lease::Held));
    }

    /// Keeps the lease for good.
    pub(super) async fn run(mut self) {
        loop {
            self.keep().await;
            self.shared.set_tenure(None);
            self.say_doubtful();
            self.reclaim().await;
        }
    }

    /// Renews the lease until it, or the key, is gone.
    async fn keep(&mut self) {
        let shared = self.shared.clone();
        let mut suspect = false;
        let mut backoff = Backoff::new();
        loop {
            let asked = Instant::now();
            let renewal = renew(&shared, self.lease, self.ttl / RENEWALS);
            match self.doubting(renewal).await {
                Renewal::Renewed => self.renewed = asked,
                Renewal::Gone => return,
                Renewal::Failed => {
                    self.say_unanswered();
                    self.doubting(backoff.pause()).await;
                    continue;
                }
            }
            if suspect || self.told == Lease::Doubtful {
                match self.doubting(is_ours(&shared, self.lease)).await {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => {
                        self.doubting(backoff.pause()).await;
                        continue;
                    }
                }
            }
            self.say_held();
            backoff = Backoff::new();
            let next = tokio::time::sleep_until(asked + self.ttl / RENEWALS);
            suspect = tokio::select! {
                () = next => false,
                () = shared.key_touched.notified() => true,
            };
        }
    }

    async fn reclaim(&mut self) {
        let mut backoff = Backoff::new();
        loop {
            match self.claim().await {
                Ok(Claim::Ours { .. }) => return,
                Ok(Claim::InUse(address)) => {
                    let me = self.shared.me;
                    tracing::error!("{me} is also at {address}; stop one of the two");
                    tokio::time::sleep(self.ttl).await;
                }
                Err(fail) => {
                    if let Fail::Refused(error) = fail {
                        tracing::error!("{error}");
                    }
                    backoff.pause().await;
                }
            }
        }
    }

    /// Waits, and says meanwhile when the lease becomes doubtful.
    async fn doubting<T>(&mut self, what: impl Future<Output = T>) -> T {
        tokio::pin!(what);
        let doubtful_at = self.renewed + self.ttl * 2 / 3;
        tokio::select! {
            biased;
            done = &mut what => return done,
            () = tokio::time::sleep_until(doubtful_at), if self.told != Lease::Doubtful => {}
        }
        self.say_doubtful();
        what.await
    }

    fn say_unanswered(&mut self) {
        if self.told == Lease::Held {
            self.say(Lease::Unanswered);
        }
    }

    fn say_doubtful(&mut self) {
        if self.told != Lease::Doubtful {
            self.say(Lease::Doubtful);
        }
    }

    fn say_held(&mut self) {
        if self.told != Lease::Held {
            self.say(Lease::Held);
        }
    }

    fn say(&mut self, lease: Lease) {
        self.told = lease;
        self.shared.inbox.news(News::Lease(lease));
    }
}

async fn renew(shared: &Shared, lease: i64, limit: Duration) -> Renewal {
    let mut client = shared.client.lease_client();
    match in_time(limit, client.keep_alive(lease)).await {
        Ok(_) => Renewal::Renewed,
        Err(Trouble::Etcd(Error::LeaseKeepAliveError(_))) => Renewal::Gone,
        Err(trouble) => {
            tracing::debug!("the lease was not renewed: {trouble}");
            Renewal::Failed
        }
    }
}

/// Whether this node's key is still as it was written under this lease.
async fn is_ours(shared: &Shared, lease: i64) -> Result<bool, Fail> {
    let mut client = shared.client.kv_client();
    let key = shared.keys.node(shared.me);
    let answer = shared.ask(client.get(key, None)).await?;
    Ok(answer.kvs().first().is_some_and(|it| it.lease() == lease))
}
