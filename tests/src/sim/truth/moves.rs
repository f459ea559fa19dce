//! VMs that move: what is seen of them, and how one is taken.

use super::*;

impl Truth {
    /// Where a VM is, if some node has it.
    pub(in crate::sim) fn place(&self, vm: u32) -> Option<Place> {
        let record = self.vms.get(&vm)?;
        record.member.as_ref()?;
        Some(Place {
            node: record.node,
            epoch: record.epoch,
            incarnation: record.incarnation,
        })
    }

    pub(super) fn seen(&self, me: NodeId, vm: u32) -> Option<(Box<Seen>, Tenure)> {
        let place = self.place(vm)?;
        let it = self.vms.get(&vm)?;
        let life = self.sight_now(vm).life;
        let mine = life.is_some() && place.node == me;
        let record = VmRecord {
            attributes: it.member.clone()?,
            dc: DcAttributes::default(),
            life: life.map(|it| it.0),
            driving: it.life.as_ref().is_some_and(|it| it.driving),
            start: it
                .life
                .as_ref()
                .filter(|_| life.is_some())
                .map_or(Start::Made, |it| it.start),
            endpoints: if mine {
                self.bound_by(it.owner(vm))
            } else {
                Vec::new()
            },
        };
        Some((Box::new(Seen { place, record }), life.map_or(0, |it| it.1)))
    }

    /// A node takes a VM from a place, if it is there.
    pub(super) fn take(&mut self, me: NodeId, vm: u32, from: Place) {
        let Some(tenure) = self.tenure(me) else {
            return;
        };
        if !self.place(vm).is_some_and(|it| it.is_same(&from)) {
            return;
        }
        let goes_on = self.sight_now(vm).life.is_some();
        let Some(record) = self.vms.get_mut(&vm) else {
            return;
        };
        let over = record.owner(vm);
        record.node = me;
        record.epoch += 1;
        let driving = record.life.as_ref().is_some_and(|it| it.driving);
        record.life = Some(Life {
            tenure,
            driving,
            start: Start::Awaited,
        });
        if !goes_on {
            record.incarnation += 1;
            self.free(over);
        }
    }

    /// A node knows now whether a VM that it has taken has run.
    pub(super) fn started(&mut self, me: NodeId, vm: u32, epoch: u32, start: Start) {
        let record = self.vms.get_mut(&vm);
        let record = record.filter(|it| it.node == me && it.epoch == epoch);
        let life = record.and_then(|it| it.life.as_mut());
        if let Some(life) = life.filter(|it| it.start == Start::Awaited) {
            life.start = start;
        }
    }
}
