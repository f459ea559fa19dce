//! What was read of a VM that may come here. With it taking the VM needs one round trip instead of
//! five: its guest stands still meanwhile.

use crate::directory::etcd::connection::Fail;
use crate::directory::etcd::keys::Keys;
use crate::directory::etcd::records::{self, EndpointRecord};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{BoundRecord, DirectoryError, Endpoint, Owner, Place};
use etcd_client::{GetOptions, KeyValue, TxnOp};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Endpoints that are read along with a change. etcd takes 128 operations at once.
const ALONG_MAX: usize = 64;
/// VMs that are remembered.
const VMS_MAX: usize = 64;

/// A VM as it was when somebody looked at it.
#[derive(Debug)]
pub(super) struct Recalled {
    /// Its record, as it stands in etcd.
    record: KeyValue,
    /// Where it says that the VM lives.
    place: Place,
    /// What it had bound.
    held: Vec<Endpoint>,
}

/// The VMs that may come.
#[derive(Debug, Default)]
pub(super) struct Recall(RefCell<BTreeMap<u32, Recalled>>);

impl Recall {
    fn keep(&self, vm: u32, recalled: Recalled) {
        let mut kept = self.0.borrow_mut();
        if kept.len() >= VMS_MAX && !kept.contains_key(&vm) {
            // Whoever is forgotten is only slower.
            kept.pop_first();
        }
        kept.insert(vm, recalled);
    }

    /// What is remembered of a VM that is taken from there. It serves once: if it is not true any more all is read.
    pub(super) fn take(&self, vm: u32, from: Place) -> Option<Recalled> {
        let recalled = self.0.borrow_mut().remove(&vm)?;
        recalled.place.is_same(&from).then_some(recalled)
    }
}

impl Recalled {
    /// Saves the change a look at the record, and has what the VM has bound read with it.
    pub(super) fn help(self, snapshot: &mut Snapshot<'_>, keys: &Keys, vm: u32) {
        snapshot.know(self.record);
        if self.held.len() > ALONG_MAX {
            return;
        }
        let limit = i64::try_from(ALONG_MAX + 1).unwrap_or(i64::MAX);
        let options = GetOptions::new().with_prefix().with_keys_only();
        let options = options.with_limit(limit);
        snapshot.read_along(TxnOp::get(keys.held(vm), Some(options)));
        for endpoint in self.held {
            snapshot.read_along(TxnOp::get(keys.endpoint(endpoint), None));
        }
    }
}

impl Shared {
    /// Remembers a VM of another node that was looked at, for the case that it comes.
    pub(super) async fn recall_later(
        &self,
        vm: u32,
        place: Place,
        record: KeyValue,
    ) -> Result<(), Fail> {
        let held = self.all_below(self.keys.held(vm), true).await?;
        let recalled = Recalled {
            record,
            place,
            held: self.keys.endpoints_in(vm, &held.found).collect(),
        };
        self.recall.keep(vm, recalled);
        Ok(())
    }

    /// What a life has bound, by what was read along with a change; `None`: not all of it was.
    pub(super) fn bound_along(
        &self,
        owner: Owner,
        dcid: u32,
        along: &[Vec<KeyValue>],
    ) -> Result<Option<Vec<BoundRecord>>, DirectoryError> {
        let Some((held, records)) = along.split_first() else {
            return Ok(None);
        };
        let held = self.keys.endpoints_in(owner.vm, held);
        let mut missing: BTreeSet<Endpoint> = held.filter(|it| it.dcid == dcid).collect();
        let mut bound = Vec::new();
        for record in records.iter().flatten() {
            let Some(endpoint) = self.keys.endpoint_in(dcid, record.key()) else {
                continue;
            };
            if missing.remove(&endpoint) {
                let record: EndpointRecord = records::decode(record.key(), record.value())?;
                bound.extend(record.bound_by(owner, endpoint));
            }
        }
        bound.sort_by_key(|it| it.number);
        Ok(missing.is_empty().then_some(bound))
    }
}
