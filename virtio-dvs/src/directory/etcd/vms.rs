//! What becomes of VMs.

use crate::directory::etcd::connection::Fail;
use crate::directory::etcd::records::{DcRecord, Life, Member, NodeRecord, VmRecord, Writer};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{DirectoryError, Location, Owner, Start, next};
use crate::vm::{DcAttributes, VmAttributes};

impl VmRecord {
    /// Where its last life goes on, if its node has this tenure.
    pub(super) fn location(&self, tenure: i64) -> Option<Location> {
        self.life.filter(|life| life.tenure == tenure)?;
        let member = self.member.as_ref()?;
        Some(Location {
            incarnation: self.incarnation,
            node: self.node,
            epoch: self.epoch,
            dcid: member.attributes.dcid,
        })
    }
}

impl Shared {
    /// A VM is new on this host. One of a node without a lease is taken over.
    pub(super) async fn join(
        &self,
        snapshot: &mut Snapshot<'_>,
        attributes: &VmAttributes,
        writer: Writer,
    ) -> Result<DcAttributes, Fail> {
        let vm = attributes.vm;
        let before = snapshot.get::<VmRecord>(self.keys.vm(vm)).await?;
        let old = before.as_ref().and_then(|record| {
            let member = record.member.as_ref()?;
            Some((record, member))
        });
        if let Some((record, member)) = old {
            if record.writer == writer {
                return Ok(member.dc.clone());
            }
            self.may_replace(snapshot, record, vm).await?;
            snapshot.delete(self.keys.vm_at(record.node, vm));
            if member.attributes.dcid != attributes.dcid {
                self.leave_dc(snapshot, member.attributes.dcid, vm).await?;
            }
        }
        let dc = self.enter_dc(snapshot, attributes).await?;
        let member = Member {
            attributes: VmAttributes {
                dc: None,
                ..attributes.clone()
            },
            dc: dc.clone(),
        };
        let record = VmRecord {
            node: self.me,
            epoch: before.as_ref().map_or(0, |record| record.epoch),
            incarnation: before.as_ref().map_or(0, |record| record.incarnation),
            member: Some(member),
            life: None,
            writer,
        };
        snapshot.put(self.keys.vm(vm), &record)?;
        snapshot.mark(self.keys.vm_at(self.me, vm));
        snapshot.delete_all(self.keys.held(vm));
        Ok(dc)
    }

    /// Whether the record of a VM that has not left may be replaced.
    async fn may_replace(
        &self,
        snapshot: &mut Snapshot<'_>,
        record: &VmRecord,
        vm: u32,
    ) -> Result<(), Fail> {
        let node = record.node;
        if node == self.me {
            return Err(DirectoryError::VmInUse(vm).into());
        }
        let there = snapshot.get::<NodeRecord>(self.keys.node(node)).await?;
        match there {
            Some(_) => Err(DirectoryError::Elsewhere { vm, node }.into()),
            None => Ok(()),
        }
    }

    async fn enter_dc(
        &self,
        snapshot: &mut Snapshot<'_>,
        attributes: &VmAttributes,
    ) -> Result<DcAttributes, Fail> {
        let VmAttributes { vm, dcid, .. } = *attributes;
        snapshot.mark(self.keys.member(dcid, vm));
        let existing = snapshot.get::<DcRecord>(self.keys.dc(dcid)).await?;
        let asked = attributes.dc.as_ref();
        let Some(existing) = existing.map(|DcRecord(dc)| dc) else {
            let dc = asked.cloned().unwrap_or_default();
            snapshot.put(self.keys.dc(dcid), &DcRecord(dc.clone()))?;
            return Ok(dc);
        };
        if asked.is_some_and(|asked| *asked != existing) {
            let existing = serde_json::to_string(&existing).unwrap_or_default();
            return Err(DirectoryError::DcDiffers { dcid, existing }.into());
        }
        Ok(existing)
    }

    /// The last VM of a DC takes it along.
    async fn leave_dc(&self, snapshot: &mut Snapshot<'_>, dcid: u32, vm: u32) -> Result<(), Fail> {
        let member = self.keys.member(dcid, vm);
        if snapshot.is_alone(self.keys.members(dcid), &member).await? {
            snapshot.delete(self.keys.dc(dcid));
        }
        snapshot.delete(member);
        Ok(())
    }

    /// A VM of this node leaves.
    pub(super) async fn leave(
        &self,
        snapshot: &mut Snapshot<'_>,
        vm: u32,
        writer: Writer,
    ) -> Result<(), Fail> {
        let record = snapshot.get::<VmRecord>(self.keys.vm(vm)).await?;
        let mut record = record.ok_or(DirectoryError::NoVm(vm))?;
        if record.writer == writer {
            return Ok(());
        }
        let member = record.member.take().filter(|_| record.node == self.me);
        let member = member.ok_or(DirectoryError::NoVm(vm))?;
        self.leave_dc(snapshot, member.attributes.dcid, vm).await?;
        record.life = None;
        record.writer = writer;
        snapshot.put(self.keys.vm(vm), &record)?;
        snapshot.delete(self.keys.vm_at(self.me, vm));
        snapshot.delete_all(self.keys.held(vm));
        Ok(())
    }

    /// A VM of this node begins a life.
    pub(super) async fn begin(
        &self,
        snapshot: &mut Snapshot<'_>,
        vm: u32,
        writer: Writer,
    ) -> Result<Location, Fail> {
        let record = snapshot.get::<VmRecord>(self.keys.vm(vm)).await?;
        let mut record = record.ok_or(DirectoryError::NoVm(vm))?;
        let member = record.member.as_ref();
        let dcid = member.ok_or(DirectoryError::NoVm(vm))?.attributes.dcid;
        let node = record.node;
        if node != self.me {
            return Err(DirectoryError::Elsewhere { vm, node }.into());
        }
        let begun = record
            .location(snapshot.tenure())
            .filter(|_| record.writer == writer);
        if let Some(location) = begun {
            return Ok(location);
        }
        record.incarnation = next(record.incarnation, "life of a VM")?;
        record.epoch = next(record.epoch, "epoch of a VM")?;
        record.life = Some(Life {
            tenure: snapshot.tenure(),
            driving: false,
            start: Start::Made,
        });
        record.writer = writer;
        snapshot.put(self.keys.vm(vm), &record)?;
        snapshot.delete_all(self.keys.held(vm));
        Ok(Location {
            incarnation: record.incarnation,
            node,
            epoch: record.epoch,
            dcid,
        })
    }

    /// The record of a VM of this node whose life `owner` goes on.
    pub(super) async fn own_life(
        &self,
        snapshot: &mut Snapshot<'_>,
        owner: Owner,
    ) -> Result<VmRecord, Fail> {
        let record = snapshot.get::<VmRecord>(self.keys.vm(owner.vm)).await?;
        record
            .filter(|record| {
                record.node == self.me
                    && record.incarnation == owner.incarnation
                    && record.location(snapshot.tenure()).is_some()
            })
            .ok_or(DirectoryError::LifeOver(owner).into())
    }

    /// The guest drives its device.
    pub(super) async fn driving(
        &self,
        snapshot: &mut Snapshot<'_>,
        owner: Owner,
    ) -> Result<(), Fail> {
        let mut record = self.own_life(snapshot, owner).await?;
        if let Some(life) = record.life.as_mut().filter(|life| !life.driving) {
            life.driving = true;
            snapshot.put(self.keys.vm(owner.vm), &record)?;
        }
        Ok(())
    }

    /// A life of a VM of this node is over. Its endpoints are free by that.
    pub(super) async fn end(
        &self,
        snapshot: &mut Snapshot<'_>,
        owner: Owner,
        writer: Writer,
    ) -> Result<(), Fail> {
        let over = DirectoryError::LifeOver(owner);
        let record = snapshot.get::<VmRecord>(self.keys.vm(owner.vm)).await?;
        let mut record = record.ok_or(over.clone())?;
        if record.writer == writer {
            return Ok(());
        }
        let ours = record.node == self.me && record.incarnation == owner.incarnation;
        if !ours || record.life.take().is_none() {
            return Err(over.into());
        }
        record.writer = writer;
        snapshot.put(self.keys.vm(owner.vm), &record)?;
        Ok(())
    }
}
