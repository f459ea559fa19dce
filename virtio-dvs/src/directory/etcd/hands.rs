//! Endpoints that change hands.

use crate::directory::etcd::connection::Fail;
use crate::directory::etcd::endpoints::Held;
use crate::directory::etcd::records::EndpointRecord;
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{DirectoryError, Endpoint, Owner, Taken, Token};

/// Who takes an endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taking {
    pub(super) endpoint: Endpoint,
    pub(super) owner: Owner,
    pub(super) generation: u32,
    pub(super) token: Token,
    pub(super) nonce: u64,
}

impl Shared {
    /// Lets whoever knows the token have an endpoint, or nobody any more.
    pub(super) async fn offer(
        &self,
        snapshot: &mut Snapshot<'_>,
        held: Held,
        token: Option<Token>,
    ) -> Result<u32, Fail> {
        let not_bound = DirectoryError::NotBound(held.endpoint);
        let mut record = self.held(snapshot, held).await?.ok_or(not_bound.clone())?;
        match self.own_life(snapshot, held.owner).await {
            Err(Fail::Refused(DirectoryError::LifeOver(_))) => return Err(not_bound.into()),
            lives => lives?,
        };
        if record.offer != token {
            record.offer = token;
            snapshot.put(self.keys.endpoint(held.endpoint), &record)?;
        }
        Ok(record.generation)
    }

    /// Gives an endpoint to this life, if it is offered so by one that goes on.
    pub(super) async fn adopt(
        &self,
        snapshot: &mut Snapshot<'_>,
        taking: Taking,
    ) -> Result<Taken, Fail> {
        let Taking {
            endpoint, owner, ..
        } = taking;
        self.own_life(snapshot, owner).await?;
        let not_bound = DirectoryError::NotBound(endpoint);
        let key = self.keys.endpoint(endpoint);
        let record = snapshot.get::<EndpointRecord>(key.clone()).await?;
        let mut record = record
            .filter(|record| record.bound && record.generation == taking.generation)
            .ok_or(not_bound.clone())?;
        let taken = Taken {
            generation: record.generation,
            privileges: record.privileges,
        };
        let before = record.owner();
        if before == owner && record.nonce == taking.nonce {
            return Ok(taken);
        }
        let offered = record.offer == Some(taking.token);
        if !offered || self.life_of(snapshot, before).await?.is_none() {
            return Err(not_bound.into());
        }
        (record.vm, record.incarnation) = (owner.vm, owner.incarnation);
        (record.nonce, record.offer) = (taking.nonce, None);
        snapshot.put(key, &record)?;
        if before.vm != owner.vm {
            snapshot.delete(self.keys.held_endpoint(before.vm, endpoint));
        }
        snapshot.mark(self.keys.held_endpoint(owner.vm, endpoint));
        Ok(taken)
    }
}
