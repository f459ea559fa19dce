//! The memory of the endpoints: what copies bring there, and that nothing else is written to it.

use std::collections::{BTreeMap, BTreeSet};

use super::events::{NUMBERS, number};
use super::world::Id;
use crate::copy::pattern;
use crate::net::Net;

/// Payload bytes of a bulk frame: the fewest that the core takes.
pub const FRAME: usize = 4096;
/// The longest copy.
pub const LONGEST: usize = 3 * FRAME - 1;
/// Where copies are from.
pub const FROM: usize = 100;
/// Bytes to copy from, at the beginning of every memory.
const PATTERN: usize = FROM + LONGEST;
/// Bytes that lie between the places of copies.
const GAP: usize = 16;

/// Where a copy goes: to a place of its own.
struct Region {
    src: usize,
    dst: usize,
    at: usize,
    bytes: usize,
}

pub struct Memories {
    /// What each endpoint has to copy from.
    patterns: Vec<Vec<u8>>,
    /// The end of what copies had so far.
    end: usize,
    regions: BTreeMap<Id, Region>,
    /// What is in the memories whose endpoints do not wait.
    still: BTreeMap<(u32, usize), Vec<u8>>,
}

/// Every memory there is.
fn all(net: &Net) -> Vec<(u32, usize)> {
    let vms = net.cores.keys();
    vms.flat_map(|&vm| (0..NUMBERS).map(move |ep| (vm, ep)))
        .collect()
}

impl Memories {
    pub fn new() -> Memories {
        Memories {
            patterns: (0..NUMBERS).map(|ep| pattern(PATTERN, ep)).collect(),
            end: PATTERN + GAP,
            regions: BTreeMap::new(),
            still: BTreeMap::new(),
        }
    }

    /// A new VM.
    pub fn furnish(&mut self, net: &mut Net, vm: u32) {
        for ep in 0..NUMBERS {
            let mut memory = self.patterns[ep].clone();
            memory.resize(self.end, 0);
            *net.core(vm).memory(number(ep)) = memory;
        }
        self.still.retain(|(at, _), _| *at != vm);
    }

    /// The place for a copy.
    pub fn reserve(&mut self, net: &mut Net, id: Id, [src, dst]: [usize; 2], bytes: usize) -> u64 {
        let at = self.end;
        self.end += bytes + GAP;
        for core in net.cores.values_mut() {
            core.memory(number(dst)).resize(self.end, 0);
        }
        let region = Region {
            src,
            dst,
            at,
            bytes,
        };
        self.regions.insert(id, region);
        at as u64
    }

    /// Has all of it arrived, in some VM?
    pub fn arrived(&self, net: &mut Net, id: Id) -> bool {
        let r = &self.regions[&id];
        let source = &self.patterns[r.src][FROM..FROM + r.bytes];
        let mut cores = net.cores.values_mut();
        cores.any(|core| core.memory(number(r.dst))[r.at..r.at + r.bytes] == *source)
    }

    /// Nobody writes to the memory of an endpoint that has no call under way.
    pub fn stays(&mut self, net: &mut Net, waiting: &BTreeSet<(u32, i32)>) -> Result<(), String> {
        for (vm, ep) in all(net) {
            let memory = net.core(vm).memory(number(ep));
            if waiting.contains(&(vm, number(ep))) {
                self.still.remove(&(vm, ep));
            } else if let Some(before) = self.still.get(&(vm, ep)) {
                if !memory.starts_with(before) {
                    return Err(format!("{} in VM {vm} is written to", number(ep)));
                }
            } else {
                self.still.insert((vm, ep), memory.clone());
            }
        }
        Ok(())
    }

    /// Somebody has left in the middle: what is just being copied may be written a moment later.
    pub fn may_change(&mut self) {
        self.still.clear();
    }

    /// Only the places of copies have been written to, each frame by frame.
    pub fn check(&self, net: &mut Net) -> Result<(), String> {
        for (vm, ep) in all(net) {
            let memory = net.core(vm).memory(number(ep));
            if !self.is_intact(ep, memory) {
                return Err(format!("the memory of {} in VM {vm}", number(ep)));
            }
        }
        Ok(())
    }

    fn is_intact(&self, ep: usize, memory: &[u8]) -> bool {
        let is_zero = |part: &[u8]| part.iter().all(|&b| b == 0);
        let mut end = PATTERN;
        for r in self.regions.values().filter(|r| r.dst == ep) {
            let part = &memory[r.at..r.at + r.bytes];
            let source = &self.patterns[r.src][FROM..FROM + r.bytes];
            let mut frames = (0..r.bytes).step_by(FRAME).chain([r.bytes]);
            let whole = |n: usize| part[..n] == source[..n] && is_zero(&part[n..]);
            if !frames.any(whole) || !is_zero(&memory[end..r.at]) {
                return false;
            }
            end = r.at + r.bytes;
        }
        memory[..PATTERN] == self.patterns[ep] && is_zero(&memory[end..])
    }
}
