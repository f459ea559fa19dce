//! How the directory is opened: by a node that starts, which must know at once what is wrong.

use crate::directory::Seen;
use crate::directory::etcd::EtcdError;
use crate::directory::etcd::Me;
use crate::directory::etcd::config::EtcdConfig;
use crate::directory::etcd::connection::{self, Backoff, Fail, Trouble, ask};
use crate::directory::etcd::inbox::Inbox;
use crate::directory::etcd::keys::Keys;
use crate::directory::etcd::session::{Claim, Session};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::watches::{Order, Watches};
use etcd_client::{Client, ConnectOptions};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, timeout_at};

/// The oldest etcd that knows the watches which are used here.
const VERSION_MIN: (u32, u32) = (3, 4);

/// What the node's start has asked for.
pub(super) struct Opening<'a> {
    config: &'a EtcdConfig,
    deadline: Instant,
}

impl<'a> Opening<'a> {
    pub(super) fn new(config: &'a EtcdConfig) -> Opening<'a> {
        let deadline = Instant::now() + config.patience();
        Opening { config, deadline }
    }

    /// Connects, claims this node's number, and reads what is known of its VMs.
    pub(super) async fn claim(
        &self,
        me: &Me,
        options: &ConnectOptions,
        inbox: Arc<Inbox>,
        orders: UnboundedSender<Order>,
    ) -> Result<(Rc<Shared>, Vec<Seen>), EtcdError> {
        let connect = async || {
            let client = connection::connect(self.config, options).await;
            client.map_err(Fail::Away)
        };
        let client = self.insist(connect).await?;
        let keys = Keys::new(&self.config.prefix);
        let watches = Watches::new(orders);
        let shared = Rc::new(Shared::new(me.node, client.clone(), keys, inbox, watches));
        let ttl = self.config.ttl();
        let session = Session::new(shared.clone(), &me.address, &me.boot, ttl);
        let claim = self.claim_number(me, session);
        // A node that is started again is waited for: it reads at once what only it may change. Of a VM
        // that is taken from here meanwhile it hears like any other time, since it watches its VMs.
        let read = self.insist(async || shared.own().await);
        let version = self.check_version(&client);
        let (before, (), mut own) = tokio::try_join!(claim, version, read)?;
        if !before {
            own = self.insist(async || shared.own().await).await?;
        }
        let tenure = shared.tenure_of(me.node);
        let records = own.into_iter().filter_map(|own| own.in_tenure(tenure));
        let records = records.collect();
        Ok((shared, records))
    }

    /// From then on the lease is kept. Gives whether the number was ours before.
    async fn claim_number(&self, me: &Me, mut session: Session) -> Result<bool, EtcdError> {
        // Whoever has our number has a lease to lose it.
        let deadline = self.deadline + self.config.ttl();
        let mut backoff = Backoff::new();
        let mut last = Trouble::Silent;
        loop {
            match timeout_at(deadline, session.claim()).await {
                Ok(Ok(Claim::Ours { before })) => {
                    tokio::task::spawn_local(session.run());
                    return Ok(before);
                }
                Ok(Ok(Claim::InUse(address))) => {
                    let node = me.node;
                    return Err(EtcdError::NodeInUse { node, address });
                }
                Ok(Err(fail)) => last = self.give_up(fail)?,
                Err(_) => return Err(self.silent(&last)),
            }
            backoff.pause().await;
        }
    }

    /// Whether anybody is there, and knows what is used here.
    async fn check_version(&self, client: &Client) -> Result<(), EtcdError> {
        let status = async || {
            let mut maintenance = client.maintenance_client();
            ask(maintenance.status()).await.map_err(Fail::Away)
        };
        check_version(self.insist(status).await?.version())
    }

    /// Tries until it works, is hopeless, or the time is over.
    async fn insist<T>(&self, attempt: impl AsyncFn() -> Result<T, Fail>) -> Result<T, EtcdError> {
        let mut backoff = Backoff::new();
        let mut last = Trouble::Silent;
        loop {
            match timeout_at(self.deadline, attempt()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(fail)) => last = self.give_up(fail)?,
                Err(_) => return Err(self.silent(&last)),
            }
            if timeout_at(self.deadline, backoff.pause()).await.is_err() {
                return Err(self.silent(&last));
            }
        }
    }

    /// Gives what may pass.
    fn give_up(&self, fail: Fail) -> Result<Trouble, EtcdError> {
        match fail {
            Fail::Away(trouble) if trouble.is_hopeless() => {
                Err(EtcdError::Refused(trouble.to_string()))
            }
            Fail::Away(trouble) => Ok(trouble),
            Fail::Refused(error) => Err(EtcdError::Broken(error)),
        }
    }

    fn silent(&self, last: &Trouble) -> EtcdError {
        EtcdError::Silent {
            endpoints: self.config.endpoints.join(", "),
            timeout_ms: self.config.timeout_ms,
            last: last.to_string(),
        }
    }
}

fn check_version(version: &str) -> Result<(), EtcdError> {
    let mut parts = version.split('.').map_while(|part| part.parse().ok());
    let parsed = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if parsed < VERSION_MIN {
        return Err(EtcdError::TooOld(version.chars().take(32).collect()));
    }
    Ok(())
}

#[cfg(test)]
#[path = "opening_test.rs"]
mod tests;
