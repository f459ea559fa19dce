//! How a VM moves: its record names another node, in one step.

use crate::directory::etcd::connection::{Fail, Trouble};
use crate::directory::etcd::records::{self, Life, VmRecord};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{self, DirectoryError, Location, Owner, Place, Seen, Start, next};
use std::rc::Rc;

/// What is seen of a VM, or why its record is not understood.
pub(super) type Sight = Result<Option<Box<Seen>>, DirectoryError>;

impl VmRecord {
    fn place(&self) -> Place {
        Place {
            node: self.node,
            epoch: self.epoch,
            incarnation: self.incarnation,
        }
    }

    /// Whether it has run where it is; `life` is the one that goes on.
    pub(super) fn start(&self, life: Option<Location>) -> Start {
        let going_on = self.life.filter(|_| life.is_some());
        going_on.map_or(Start::Made, |it| it.start)
    }

    /// What is seen of it, if a node has it. `life` is the one that goes on.
    pub(super) fn seen(self, life: Option<Location>) -> Option<Seen> {
        let place = self.place();
        let start = self.start(life);
        let member = self.member?;
        let record = directory::VmRecord {
            attributes: member.attributes,
            dc: member.dc,
            life,
            driving: life.is_some() && self.life.is_some_and(|life| life.driving),
            start,
            endpoints: Vec::new(),
        };
        Some(Seen { place, record })
    }
}

impl Shared {
    /// What the record of a VM says. One of another node may come here soon.
    pub(super) async fn see(&self, vm: u32) -> Result<Sight, Trouble> {
        let mut snapshot = Snapshot::new(self);
        settled(self.see_in(&mut snapshot, vm).await)
    }

    async fn see_in(
        &self,
        snapshot: &mut Snapshot<'_>,
        vm: u32,
    ) -> Result<Option<Box<Seen>>, Fail> {
        let Some(found) = snapshot.get_raw(self.keys.vm(vm)).await? else {
            return Ok(None);
        };
        let record: VmRecord = records::decode(found.key(), found.value())?;
        let life = self.location_of(snapshot, &record).await?;
        if record.node != self.me && life.is_some() {
            self.recall_later(vm, record.place(), found).await?;
        }
        Ok(record.seen(life).map(Box::new))
    }

    /// Takes a VM from a place if it is still there; gives what is seen of it afterwards, with what
    /// it has bound if it is here.
    pub(super) async fn take(self: &Rc<Self>, vm: u32, from: Place) -> Sight {
        let (taken, along) = self
            .change_and_read(async |it: &mut Snapshot<'_>| self.take_in(it, vm, from).await)
            .await?;
        let Some(mut seen) = taken else {
            return Ok(None);
        };
        // Nobody but this node can bind for it from now on.
        if let Some(life) = seen.record.life.filter(|it| it.node == self.me) {
            let incarnation = life.incarnation;
            let owner = Owner { vm, incarnation };
            let read = async || settled(self.bound_by(owner, life.dcid).await);
            seen.record.endpoints = match self.bound_along(owner, life.dcid, &along)? {
                Some(bound) => bound,
                None => self.look(read).await?,
            };
        }
        Ok(Some(seen))
    }

    async fn bound_by(
        self: &Rc<Self>,
        owner: Owner,
        dcid: u32,
    ) -> Result<Vec<directory::BoundRecord>, Fail> {
        let held = self.all_below(self.keys.held(owner.vm), true).await?;
        self.endpoints_of(owner, dcid, &held).await
    }

    async fn take_in(
        &self,
        snapshot: &mut Snapshot<'_>,
        vm: u32,
        from: Place,
    ) -> Result<Option<Box<Seen>>, Fail> {
        if let Some(recalled) = self.recall.take(vm, from) {
            recalled.help(snapshot, &self.keys, vm);
        }
        let record = snapshot.get::<VmRecord>(self.keys.vm(vm)).await?;
        let Some(mut record) = record else {
            return Ok(None);
        };
        let life = self.location_of(snapshot, &record).await?;
        if record.member.is_none() || !record.place().is_same(&from) {
            return Ok(record.seen(life).map(Box::new));
        }
        if record.node != self.me {
            snapshot.delete(self.keys.vm_at(record.node, vm));
            snapshot.mark(self.keys.vm_at(self.me, vm));
        }
        if let (Some(life), Some(_)) = (record.life, life) {
            // It goes on only if nobody gives it up before this is written.
            snapshot.only_while(self.keys.node(record.node), life.tenure);
        } else {
            record.incarnation = next(record.incarnation, "life of a VM")?;
            snapshot.delete_all(self.keys.held(vm));
        }
        record.node = self.me;
        record.epoch = next(record.epoch, "epoch of a VM")?;
        record.life = Some(Life {
            tenure: snapshot.tenure(),
            driving: record.life.is_some_and(|life| life.driving),
            start: Start::Awaited,
        });
        snapshot.put(self.keys.vm(vm), &record)?;
        let life = record.location(snapshot.tenure());
        Ok(record.seen(life).map(Box::new))
    }

    /// Whether a VM that was taken by this node has run is known now.
    pub(super) async fn started(
        &self,
        snapshot: &mut Snapshot<'_>,
        vm: u32,
        epoch: u32,
        start: Start,
    ) -> Result<(), Fail> {
        let key = self.keys.vm(vm);
        let Some(mut record) = snapshot.get::<VmRecord>(key.clone()).await? else {
            return Ok(());
        };
        let ours = record.node == self.me && record.epoch == epoch;
        let life = record.life.as_mut().filter(|_| ours);
        if let Some(life) = life.filter(|it| it.start == Start::Awaited) {
            life.start = start;
            snapshot.put(key, &record)?;
        }
        Ok(())
    }
}

/// A record that is not understood is an answer; a directory that is away is none.
fn settled<T>(seen: Result<T, Fail>) -> Result<Result<T, DirectoryError>, Trouble> {
    match seen {
        Ok(seen) => Ok(Ok(seen)),
        Err(Fail::Refused(error)) => Ok(Err(error)),
        Err(Fail::Away(trouble)) => Err(trouble),
    }
}
