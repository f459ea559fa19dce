//! The three endpoints of a copy, and the memory of two of them.

use crate::net::Net;
use dvs_core::errors::*;
use dvs_core::{ANY, Addr, CallId, CopyEnd, CopyRequest, Limits};

pub const REQUESTER: i32 = 10;
pub const SOURCE: i32 = 11;
pub const DESTINATION: i32 = 12;
/// [`dvs_core::MAX_COPY`] as a length.
pub const LONGEST: usize = 1 << 20;
/// Bytes of a copy that takes several frames.
pub const SEVERAL: usize = 150_000;

/// The VMs of requester, source and destination, the three endpoints being different ones.
pub const PLACEMENTS: [[u32; 3]; 5] = [[1, 1, 1], [1, 1, 2], [1, 2, 1], [1, 2, 2], [1, 2, 3]];

/// Where the copied bytes are in the memory of the source, and in that of the destination.
const FROM: usize = 100;
const TO: usize = 200;

pub fn pattern(bytes: usize, seed: usize) -> Vec<u8> {
    (0..bytes)
        .map(|i| ((i * 31 + i / 251 + seed * 7) % 256).to_le_bytes()[0])
        .collect()
}

pub fn end(ep: i32, address: u64) -> CopyEnd {
    CopyEnd {
        ep: Addr::number(ep),
        address,
        grant: 0,
    }
}

pub fn between(src: CopyEnd, dst: CopyEnd, bytes: usize) -> CopyRequest {
    CopyRequest {
        src,
        dst,
        bytes: bytes as u64,
    }
}

/// What the trio copies.
pub fn request(bytes: usize) -> CopyRequest {
    let dst = end(DESTINATION, TO as u64);
    between(end(SOURCE, FROM as u64), dst, bytes)
}

/// The three endpoints, source and destination waiting in a receive.
pub struct Trio {
    pub net: Net,
    pub vms: [u32; 3],
    pub waits: Vec<(u32, CallId)>,
}

impl Trio {
    pub fn new(vms: [u32; 3]) -> Trio {
        Trio::with(vms, Limits::default(), 64, 200_000)
    }

    pub fn with(vms: [u32; 3], limits: Limits, ring: usize, bytes: usize) -> Trio {
        let mut net = Net::with(3, limits, ring);
        for (vm, ep) in vms.into_iter().zip([REQUESTER, SOURCE, DESTINATION]) {
            assert_eq!(net.bind(vm, ep).result, 0);
        }
        let mut trio = Trio {
            net,
            vms,
            waits: Vec::new(),
        };
        for ep in [SOURCE, DESTINATION] {
            trio.furnish(ep, bytes);
        }
        trio.wait(SOURCE);
        trio.wait(DESTINATION);
        trio
    }

    /// The shells do their part of copies only in [`Trio::steps`].
    pub fn held(vms: [u32; 3]) -> Trio {
        let mut trio = Trio::new(vms);
        trio.hold_copies();
        trio
    }

    /// The same, with a copy that is to be stepped through.
    pub fn under_way(vms: [u32; 3]) -> (Trio, CallId) {
        let mut trio = Trio::held(vms);
        let id = trio.begin(&request(SEVERAL));
        (trio, id)
    }

    pub fn hold_copies(&mut self) {
        for vm in 1..=3 {
            self.net.core(vm).hold_copies();
        }
    }

    /// Memory of the source or the destination for copies of so many bytes.
    pub fn furnish(&mut self, ep: i32, bytes: usize) {
        *self.memory(ep) = if ep == SOURCE {
            pattern(FROM + bytes, 1)
        } else {
            vec![0; TO + bytes]
        };
    }

    pub fn vm(&self, ep: i32) -> u32 {
        self.vms[usize::try_from(ep - REQUESTER).unwrap()]
    }

    pub fn memory(&mut self, ep: i32) -> &mut Vec<u8> {
        let vm = self.vm(ep);
        self.net.core(vm).memory(ep)
    }

    pub fn wait(&mut self, ep: i32) {
        let vm = self.vm(ep);
        let id = self.net.receive(vm, ep, ANY, 0);
        self.waits.push((vm, id));
    }

    pub fn wait_no_more(&mut self) {
        for (vm, id) in std::mem::take(&mut self.waits) {
            self.net.cancel(vm, id, EINTR);
        }
    }

    /// Starts a copy; nothing else happens yet.
    pub fn begin(&mut self, request: &CopyRequest) -> CallId {
        let now = self.net.now;
        self.net.core(self.vms[0]).copy(REQUESTER, request, now)
    }

    /// Copies, with everything that follows, and returns the result.
    pub fn copy(&mut self, request: &CopyRequest) -> i32 {
        let id = self.net.copy(self.vms[0], REQUESTER, request);
        self.result(id)
    }

    pub fn result(&mut self, id: CallId) -> i32 {
        self.net.result(self.vms[0], id)
    }

    pub fn unbind(&mut self, ep: i32) {
        let vm = self.vm(ep);
        self.net.unbind(vm, ep);
    }

    pub fn lend(
        &mut self,
        ep: i32,
        to: i32,
        rights: u32,
        at: usize,
        bytes: u64,
    ) -> Result<u64, i32> {
        let (vm, now) = (self.vm(ep), self.net.now);
        let core = self.net.core(vm);
        core.lend(ep, Addr::number(to), rights, at, bytes, now)
    }

    pub fn revoke(&mut self, ep: i32, grant: u64) -> i32 {
        let (vm, now) = (self.vm(ep), self.net.now);
        self.net.core(vm).revoke(ep, grant, now)
    }

    /// So many bytes have been copied, and no others were touched.
    pub fn arrived(&mut self, bytes: usize) -> bool {
        let expected = pattern(FROM + bytes, 1)[FROM..].to_vec();
        let memory = self.memory(DESTINATION);
        memory[TO..TO + bytes] == expected
            && memory[..TO].iter().all(|&b| b == 0)
            && memory[TO + bytes..].iter().all(|&b| b == 0)
    }

    /// The endpoints still work, and nothing of the copy is left.
    pub fn finish(mut self) {
        for (vm, id) in std::mem::take(&mut self.waits) {
            if self.net.cores.contains_key(&vm) && self.net.pending(vm, id) {
                self.net.cancel(vm, id, EINTR);
                assert_eq!(self.net.result(vm, id), EINTR);
            }
        }
        self.net.assert_clean();
    }

    /// One thing at a time, with the shells' own work held back, until `done` or all is quiet.
    pub fn steps(&mut self, mut done: impl FnMut(&mut Trio, usize) -> bool) {
        for n in 0..10_000 {
            if done(self, n) {
                return;
            }
            let vms: Vec<u32> = self.net.cores.keys().copied().collect();
            let now = self.net.now;
            let busy = vms
                .into_iter()
                .any(|vm| self.net.step(vm) || self.net.core(vm).copy_step(now));
            if !busy {
                return;
            }
        }
        panic!("the cores never come to rest");
    }

    /// Steps until all is quiet; the event happens after so many. Or is all over before: false.
    pub fn steps_with(&mut self, moment: usize, event: impl FnOnce(&mut Trio)) -> bool {
        let mut event = Some(event);
        self.steps(|trio, n| {
            if n == moment
                && let Some(event) = event.take()
            {
                event(trio);
            }
            false
        });
        event.is_none()
    }
}
