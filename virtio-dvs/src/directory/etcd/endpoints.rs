//! Who has bound which endpoint.

use crate::directory::etcd::connection::{Fail, Trouble};
use crate::directory::etcd::records::{EndpointRecord, VmRecord};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{DirectoryError, Endpoint, Found, Lives, Location, Owner, next};
use crate::privileges::Privileges;
use std::cell::Cell;

/// Who unbinds an endpoint or changes what it may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) endpoint: Endpoint,
    pub(super) owner: Owner,
    /// 0: any.
    pub(super) generation: u32,
}

impl Held {
    fn is(&self, record: &EndpointRecord) -> bool {
        let generation = [0, record.generation].contains(&self.generation);
        record.owner() == self.owner && generation
    }
}

impl Shared {
    /// Binds an endpoint that is free.
    pub(super) async fn bind(
        &self,
        snapshot: &mut Snapshot<'_>,
        endpoint: Endpoint,
        owner: Owner,
        nonce: u64,
    ) -> Result<u32, Fail> {
        self.own_life(snapshot, owner).await?;
        let key = self.keys.endpoint(endpoint);
        let before = snapshot.get::<EndpointRecord>(key.clone()).await?;
        if let Some(record) = before.filter(|record| record.bound) {
            if record.owner() == owner && record.nonce == nonce {
                return Ok(record.generation);
            }
            let vm = record.vm;
            if self.life_of(snapshot, record.owner()).await?.is_some() {
                return Err(DirectoryError::Taken { endpoint, vm }.into());
            }
            if vm != owner.vm {
                snapshot.delete(self.keys.held_endpoint(vm, endpoint));
            }
        }
        let last = before.map_or(0, |record| record.generation);
        let record = EndpointRecord {
            vm: owner.vm,
            incarnation: owner.incarnation,
            generation: next(last, "generation of an endpoint")?,
            nonce,
            privileges: None,
            offer: None,
            bound: true,
        };
        snapshot.put(key, &record)?;
        snapshot.mark(self.keys.held_endpoint(owner.vm, endpoint));
        Ok(record.generation)
    }

    /// The record of an endpoint that is bound so.
    pub(super) async fn held(
        &self,
        snapshot: &mut Snapshot<'_>,
        held: Held,
    ) -> Result<Option<EndpointRecord>, Fail> {
        let key = self.keys.endpoint(held.endpoint);
        let record = snapshot.get::<EndpointRecord>(key).await?;
        Ok(record.filter(|record| record.bound && held.is(record)))
    }

    /// Whether the life that has bound an endpoint still goes on at this node: who has lost the VM
    /// changes nothing of what it has bound.
    async fn still_owns(&self, snapshot: &mut Snapshot<'_>, held: Held) -> Result<(), Fail> {
        match self.own_life(snapshot, held.owner).await {
            Err(Fail::Refused(DirectoryError::LifeOver(_))) => {
                Err(DirectoryError::NotBound(held.endpoint).into())
            }
            lives => lives.map(drop),
        }
    }

    /// Frees an endpoint. `tried` says that this was tried before, and may have been done.
    pub(super) async fn unbind(
        &self,
        snapshot: &mut Snapshot<'_>,
        held: Held,
        tried: &Cell<bool>,
    ) -> Result<(), Fail> {
        let Some(mut record) = self.held(snapshot, held).await? else {
            let not_bound = DirectoryError::NotBound(held.endpoint);
            return if tried.get() {
                Ok(())
            } else {
                Err(not_bound.into())
            };
        };
        self.still_owns(snapshot, held).await?;
        tried.set(true);
        record.bound = false;
        record.offer = None;
        snapshot.put(self.keys.endpoint(held.endpoint), &record)?;
        snapshot.delete(self.keys.held_endpoint(held.owner.vm, held.endpoint));
        Ok(())
    }

    /// Changes what an endpoint may do.
    pub(super) async fn privilege(
        &self,
        snapshot: &mut Snapshot<'_>,
        held: Held,
        privileges: Privileges,
    ) -> Result<u32, Fail> {
        let not_bound = DirectoryError::NotBound(held.endpoint);
        let mut record = self.held(snapshot, held).await?.ok_or(not_bound)?;
        self.still_owns(snapshot, held).await?;
        if record.privileges != Some(privileges) {
            record.privileges = Some(privileges);
            snapshot.put(self.keys.endpoint(held.endpoint), &record)?;
        }
        Ok(record.generation)
    }

    /// Where this life goes on, if it does.
    pub(super) async fn life_of(
        &self,
        snapshot: &mut Snapshot<'_>,
        owner: Owner,
    ) -> Result<Option<Location>, Fail> {
        let record = snapshot.get::<VmRecord>(self.keys.vm(owner.vm)).await?;
        let Some(record) = record else {
            return Ok(None);
        };
        if record.incarnation != owner.incarnation {
            return Ok(None);
        }
        self.location_of(snapshot, &record).await
    }

    /// Where the VM's last life goes on, if it does. That it does not is said only after a look.
    pub(super) async fn location_of(
        &self,
        snapshot: &mut Snapshot<'_>,
        record: &VmRecord,
    ) -> Result<Option<Location>, Fail> {
        let Some(life) = record.life else {
            return Ok(None);
        };
        if self.tenure_of(record.node) == Some(life.tenure) {
            return Ok(record.location(life.tenure));
        }
        let tenure = self.look_for_node(snapshot, record.node).await?;
        Ok(tenure.and_then(|tenure| record.location(tenure)))
    }

    /// Where an endpoint is, and as of which revision.
    pub(super) async fn find(&self, endpoint: Endpoint) -> Result<(Option<Found>, i64), Trouble> {
        let mut snapshot = Snapshot::new(self);
        let found = self.find_in(&mut snapshot, endpoint).await;
        Ok((or_nothing(found)?, snapshot.revision()))
    }

    async fn find_in(
        &self,
        snapshot: &mut Snapshot<'_>,
        endpoint: Endpoint,
    ) -> Result<Option<Found>, Fail> {
        let key = self.keys.endpoint(endpoint);
        let record = snapshot.get::<EndpointRecord>(key).await?;
        let Some(record) = record.filter(|record| record.bound) else {
            return Ok(None);
        };
        let location = self.life_of(snapshot, record.owner()).await?;
        Ok(location.map(|location| Found {
            vm: record.vm,
            generation: record.generation,
            location,
        }))
    }

    /// Where a VM lives, and as of which revision.
    pub(super) async fn locate(&self, vm: u32) -> Result<(Lives, i64), Trouble> {
        let mut snapshot = Snapshot::new(self);
        let lives = self.locate_in(&mut snapshot, vm).await;
        Ok((or_nothing(lives)?, snapshot.revision()))
    }

    async fn locate_in(&self, snapshot: &mut Snapshot<'_>, vm: u32) -> Result<Lives, Fail> {
        let record = snapshot.get::<VmRecord>(self.keys.vm(vm)).await?;
        let Some(record) = record else {
            return Ok(Lives::default());
        };
        let current = self.location_of(snapshot, &record).await?;
        let last = record.incarnation;
        Ok(Lives { last, current })
    }
}

/// A record that cannot be read says nothing to those who only look.
fn or_nothing<T: Default>(seen: Result<T, Fail>) -> Result<T, Trouble> {
    match seen {
        Ok(seen) => Ok(seen),
        Err(Fail::Away(trouble)) => Err(trouble),
        Err(Fail::Refused(error)) => {
            tracing::error!("{error}");
            Ok(T::default())
        }
    }
}
