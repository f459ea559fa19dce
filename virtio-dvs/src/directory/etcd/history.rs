//! What a node that starts finds of its own VMs.

use crate::directory::etcd::connection::Fail;
use crate::directory::etcd::records::{EndpointRecord, VmRecord};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{BoundRecord, Endpoint, Owner, Seen};
use crate::node::config::VMS_MAX;
use crate::vm::ENDPOINTS_MAX;
use etcd_client::{GetOptions, KeyValue};
use std::rc::Rc;
use tokio::task::JoinSet;

/// Keys that are asked for at once.
const KEYS_PAGE: i64 = 1000;
/// Records that one answer may hold; even the largest ones fit.
const RECORDS_PAGE: i64 = 50;
/// Keys below one name that are read.
const KEYS_MAX: usize = ENDPOINTS_MAX as usize;
/// Answers that are waited for at once.
const READS_MAX: usize = 32;

/// All keys below a name.
pub(super) struct Below {
    pub(super) found: Vec<KeyValue>,
    /// They were so in this revision.
    pub(super) revision: i64,
}

/// A VM of this node, with what its last life has bound.
pub(super) struct Own {
    record: VmRecord,
    endpoints: Vec<BoundRecord>,
}

impl Own {
    /// What of it goes on in this tenure; `None` if the VM has left.
    pub(super) fn in_tenure(self, tenure: Option<i64>) -> Option<Seen> {
        let Own { record, endpoints } = self;
        let life = tenure.and_then(|tenure| record.location(tenure));
        let mut seen = record.seen(life)?;
        seen.record.endpoints = life.map(|_| endpoints).unwrap_or_default();
        Some(seen)
    }
}

impl Shared {
    /// All keys that begin with `prefix`, as of one revision.
    pub(super) async fn all_below(&self, prefix: String, only_keys: bool) -> Result<Below, Fail> {
        let mut client = self.client.kv_client();
        let mut below = Below {
            found: Vec::new(),
            revision: 0,
        };
        let end = end_of(&prefix);
        let mut from = prefix.into_bytes();
        loop {
            let mut options = GetOptions::new()
                .with_range(end.clone())
                .with_limit(RECORDS_PAGE)
                .with_revision(below.revision);
            if only_keys {
                options = options.with_keys_only().with_limit(KEYS_PAGE);
            }
            let mut answer = self.ask(client.get(from, Some(options))).await?;
            if below.revision == 0 {
                below.revision = answer.header().map_or(0, |header| header.revision());
            }
            let more = answer.more();
            below.found.extend(answer.take_kvs());
            let Some(last) = below.found.last().filter(|_| more) else {
                return Ok(below);
            };
            if below.found.len() >= KEYS_MAX {
                tracing::error!("etcd has too many keys like {:?}", last.key_str());
                return Ok(below);
            }
            from = [last.key(), &[0]].concat();
        }
    }

    /// What is written of the VMs of this node.
    pub(super) async fn own(self: &Rc<Self>) -> Result<Vec<Own>, Fail> {
        let at = self.all_below(self.keys.at(self.me), true).await?;
        let vms = at.found.iter().take(VMS_MAX);
        let vms = vms.filter_map(|it| self.keys.vm_of(self.me, it.key()));
        let each = |shared: Rc<Shared>, vm| async move { shared.own_vm(vm).await };
        let own = self.for_each(vms.collect(), each).await?;
        Ok(own.into_iter().flatten().collect())
    }

    async fn own_vm(self: &Rc<Self>, vm: u32) -> Result<Option<Own>, Fail> {
        let record = async {
            let key = self.keys.vm(vm);
            Snapshot::new(self).get::<VmRecord>(key).await
        };
        let held = self.all_below(self.keys.held(vm), true);
        let (record, held) = tokio::try_join!(record, held)?;
        let Some(record) = record.filter(|record| record.node == self.me) else {
            return Ok(None);
        };
        let mut endpoints = Vec::new();
        if let Some(member) = record.member.as_ref().filter(|_| record.life.is_some()) {
            let owner = Owner {
                vm,
                incarnation: record.incarnation,
            };
            let dcid = member.attributes.dcid;
            endpoints = self.endpoints_of(owner, dcid, &held).await?;
        }
        Ok(Some(Own { record, endpoints }))
    }

    pub(super) async fn endpoints_of(
        self: &Rc<Self>,
        owner: Owner,
        dcid: u32,
        held: &Below,
    ) -> Result<Vec<BoundRecord>, Fail> {
        let endpoints = self.keys.endpoints_in(owner.vm, &held.found);
        let endpoints = endpoints.filter(|endpoint| endpoint.dcid == dcid).collect();
        let each = move |shared: Rc<Shared>, endpoint: Endpoint| async move {
            let key = shared.keys.endpoint(endpoint);
            let record = Snapshot::new(&shared).get::<EndpointRecord>(key).await?;
            Ok(record.and_then(|record| record.bound_by(owner, endpoint)))
        };
        let bound = self.for_each(endpoints, each).await?;
        let mut bound: Vec<BoundRecord> = bound.into_iter().flatten().collect();
        bound.sort_by_key(|record| record.number);
        Ok(bound)
    }

    /// Reads something for each item, some at a time.
    async fn for_each<I: 'static, T: 'static, F: Future<Output = Result<T, Fail>> + 'static>(
        self: &Rc<Self>,
        items: Vec<I>,
        read: impl Fn(Rc<Shared>, I) -> F,
    ) -> Result<Vec<T>, Fail> {
        let mut done = Vec::new();
        let mut running = JoinSet::new();
        for item in items {
            if running.len() >= READS_MAX
                && let Some(Ok(result)) = running.join_next().await
            {
                done.push(result?);
            }
            running.spawn_local(read(self.clone(), item));
        }
        while let Some(Ok(result)) = running.join_next().await {
            done.push(result?);
        }
        Ok(done)
    }
}

/// The first key behind all that begin with `prefix`.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // Prefixes end with a slash.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
