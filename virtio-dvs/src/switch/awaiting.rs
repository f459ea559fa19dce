//! AWAIT requests of one port whose endpoints are not bound yet.

use std::collections::{BTreeMap, BTreeSet};

/// Who waits for which endpoint. Both sides are kept, since requests end by nonce and waiting ends
/// by number.
#[derive(Debug, Default)]
pub(super) struct Awaiting {
    numbers: BTreeMap<u64, i32>,
    nonces: BTreeSet<(i32, u64)>,
}

impl Awaiting {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn contains(&self, nonce: u64) -> bool {
        self.numbers.contains_key(&nonce)
    }

    /// Endpoints that are waited for.
    pub(super) fn numbers(&self) -> Vec<i32> {
        self.numbers.values().copied().collect()
    }

    /// Whether anything waits for this endpoint.
    pub(super) fn waits_for(&self, number: i32) -> bool {
        let range = (number, 0)..=(number, u64::MAX);
        self.nonces.range(range).next().is_some()
    }

    /// For which endpoint the request `nonce` waits.
    pub(super) fn number_of(&self, nonce: u64) -> Option<i32> {
        self.numbers.get(&nonce).copied()
    }

    /// The request `nonce` waits for endpoint `number`, and for no other.
    pub(super) fn insert(&mut self, nonce: u64, number: i32) {
        self.remove(nonce);
        self.numbers.insert(nonce, number);
        self.nonces.insert((number, nonce));
    }

    /// Nothing waits under this nonce any more; `false` if nothing did.
    pub(super) fn remove(&mut self, nonce: u64) -> bool {
        let number = self.numbers.remove(&nonce);
        number.is_some_and(|number| self.nonces.remove(&(number, nonce)))
    }

    /// Ends the requests that wait for this endpoint; gives their nonces.
    pub(super) fn take(&mut self, number: i32) -> Vec<u64> {
        let range = (number, 0)..=(number, u64::MAX);
        let nonces: Vec<u64> = self.nonces.range(range).map(|it| it.1).collect();
        for &nonce in &nonces {
            self.remove(nonce);
        }
        nonces
    }
}
