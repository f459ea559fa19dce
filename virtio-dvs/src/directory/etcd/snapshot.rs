//! What is read in order to decide on a change, and the change: it is made only if all that was read
//! is still so.

use crate::directory::DirectoryError;
use crate::directory::etcd::connection::Fail;
use crate::directory::etcd::records::{self, Record};
use crate::directory::etcd::shared::Shared;
use etcd_client::{
    Compare, CompareOp, DeleteOptions, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse,
};

/// What was read along with a change, by question.
pub(super) type Along = Vec<Vec<KeyValue>>;

/// What was read so far, and what is to be written.
#[derive(Debug)]
pub(super) struct Snapshot<'a> {
    shared: &'a Shared,
    tenure: i64,
    conditions: Vec<Compare>,
    writes: Vec<TxnOp>,
    /// Read together with the change, as it is after it.
    along: Vec<TxnOp>,
    /// A record that was read before.
    known: Option<KeyValue>,
    /// Revision of the first look; no earlier one is known.
    revision: i64,
}

impl<'a> Snapshot<'a> {
    /// To look only.
    pub(super) const fn new(shared: &'a Shared) -> Snapshot<'a> {
        Snapshot {
            shared,
            tenure: 0,
            conditions: Vec::new(),
            writes: Vec::new(),
            along: Vec::new(),
            known: None,
            revision: 0,
        }
    }

    /// For a change that is made only while this tenure of this node goes on.
    pub(super) fn in_tenure(shared: &'a Shared, tenure: i64) -> Snapshot<'a> {
        let mut snapshot = Snapshot::new(shared);
        snapshot.tenure = tenure;
        snapshot.only_while(shared.keys.node(shared.me), tenure);
        snapshot
    }

    /// The tenure of this node that the change is made in.
    pub(super) const fn tenure(&self) -> i64 {
        self.tenure
    }

    /// All that was read is true of this revision or a later one.
    pub(super) const fn revision(&self) -> i64 {
        self.revision
    }

    /// Reads a record; what holds now, not what a member of etcd believes.
    pub(super) async fn get<T: Record>(&mut self, key: String) -> Result<Option<T>, Fail> {
        let found = self.get_raw(key).await?;
        let record = found.map(|it| records::decode(it.key(), it.value()));
        Ok(record.transpose()?)
    }

    /// The same, as it stands in etcd.
    pub(super) async fn get_raw(&mut self, key: String) -> Result<Option<KeyValue>, Fail> {
        let found = match self.known.take_if(|it| it.key() == key.as_bytes()) {
            None => self.read(&key).await?,
            known => known,
        };
        let written = found.as_ref().map_or(0, KeyValue::mod_revision);
        let unchanged = Compare::mod_revision(key, CompareOp::Equal, written);
        self.conditions.push(unchanged);
        Ok(found)
    }

    async fn read(&mut self, key: &str) -> Result<Option<KeyValue>, Fail> {
        let mut client = self.shared.client.kv_client();
        let mut answer = self.shared.ask(client.get(key, None)).await?;
        if self.revision == 0 {
            self.revision = answer.header().map_or(0, |header| header.revision());
        }
        Ok(answer.take_kvs().into_iter().next())
    }

    /// A record was read before. Whoever gets it need not ask: the change is made only if it is still so.
    pub(super) fn know(&mut self, record: KeyValue) {
        self.known = Some(record);
    }

    /// Has something read together with the change.
    pub(super) fn read_along(&mut self, read: TxnOp) {
        self.along.push(read);
    }

    /// Whether `key` is the only one that begins with `prefix`.
    pub(super) async fn is_alone(&mut self, prefix: String, key: &str) -> Result<bool, Fail> {
        let mut client = self.shared.client.kv_client();
        let options = GetOptions::new().with_prefix().with_keys_only();
        let options = Some(options.with_limit(2));
        let answer = self
            .shared
            .ask(client.get(prefix.as_str(), options))
            .await?;
        let mut all = answer.kvs().iter();
        if let Some(other) = all.clone().find(|it| it.key() != key.as_bytes()) {
            self.only_while(other.key(), other.create_revision());
            return Ok(false);
        }
        let created = all.next().map_or(0, |it| it.create_revision());
        // It holds for all keys of the prefix, or the change is not made.
        let alone = Compare::create_revision(prefix, CompareOp::Equal, created).with_prefix();
        self.conditions.push(alone);
        Ok(true)
    }

    /// The change is made only while the key is there that was created then.
    pub(super) fn only_while(&mut self, key: impl Into<Vec<u8>>, created: i64) {
        let there = Compare::create_revision(key, CompareOp::Equal, created);
        self.conditions.push(there);
    }

    pub(super) fn put<T: Record>(&mut self, key: String, record: &T) -> Result<(), DirectoryError> {
        let value = records::encode(record)?;
        self.writes.push(TxnOp::put(key, value, None));
        Ok(())
    }

    /// Writes a key that says all by being there.
    pub(super) fn mark(&mut self, key: String) {
        self.writes.push(TxnOp::put(key, "", None));
    }

    pub(super) fn delete(&mut self, key: String) {
        self.writes.push(TxnOp::delete(key, None));
    }

    /// Deletes all keys that begin with `prefix`.
    pub(super) fn delete_all(&mut self, prefix: String) {
        let options = DeleteOptions::new().with_prefix();
        self.writes.push(TxnOp::delete(prefix, Some(options)));
    }

    /// Makes the change. Gives what was read along, if it was made.
    pub(super) async fn commit(self) -> Result<Option<Along>, Fail> {
        if self.writes.is_empty() {
            return Ok(Some(Along::new()));
        }
        let (writes, mut operations) = (self.writes.len(), self.writes);
        operations.extend(self.along);
        let change = Txn::new().when(self.conditions).and_then(operations);
        let mut client = self.shared.client.kv_client();
        let answer = self.shared.ask(client.txn(change)).await?;
        let along = answer.op_responses().into_iter().skip(writes);
        Ok(answer.succeeded().then(|| along.map(keys_in).collect()))
    }
}

fn keys_in(answer: TxnOpResponse) -> Vec<KeyValue> {
    match answer {
        TxnOpResponse::Get(mut read) => read.take_kvs(),
        _ => Vec::new(),
    }
}
