//! The guest's IPC core for user space: the very C files of the kernel module
//! behind a safe interface, with a transmit ring that its user empties.
//!
//! A [`Core`] is one VM. Tests, benchmarks and the simulator make calls on it,
//! carry its frames to other cores, tell it the time, and see calls end.

mod copies;
mod endpoints;
mod ffi;
mod memory;
mod migration;
mod shell;
mod types;

use std::collections::{HashMap, VecDeque};
use std::ptr::NonNull;

use memory::{Call, Memory};
use shell::{OPS, Shell};

pub use types::*;

const SLOT: usize = 512;
/// The first kind of frame of the bulk class.
const BULK_DATA: u8 = 64;

/// Names a call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// One VM's core.
pub struct Core {
    raw: NonNull<ffi::RawCore>,
    _memory: Memory,
    slots: Memory,
    shell: Box<Shell>,
    calls: HashMap<CallId, Call>,
    endpoints: HashMap<i32, *mut ffi::RawEndpoint>,
    finished: VecDeque<(CallId, Outcome)>,
    next_call: u64,
    copies_held: bool,
}

// SAFETY: a core has no thread of its own and nothing outside points into it.
unsafe impl Send for Core {}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Makes the core of a VM with a transmit ring of `ring_size` frames.
    /// `None` if a limit is out of range.
    #[must_use]
    pub fn new(identity: Identity, limits: Limits, ring_size: usize) -> Option<Core> {
        // SAFETY: `limits` is valid for reading.
        let (size, slots) = unsafe {
            (
                ffi::dvs_core_size(&raw const limits),
                ffi::dvs_core_slots(&raw const limits),
            )
        };
        if size == 0 {
            return None;
        }
        let memory = Memory::new(size);
        let slots = Memory::new(slots as usize * SLOT);
        let mut shell = Box::new(Shell::new(ring_size));
        // SAFETY: memory and slots have the sizes that the core asked for and,
        // like the boxed shell, live as long as the core.
        let raw = unsafe {
            ffi::dvs_core_init(
                memory.ptr.as_ptr().cast(),
                slots.ptr.as_ptr().cast(),
                &raw const limits,
                &raw const identity,
                &raw const OPS,
                (&raw mut *shell).cast(),
            )
        };
        Some(Core {
            raw: NonNull::new(raw)?,
            _memory: memory,
            slots,
            shell,
            calls: HashMap::new(),
            endpoints: HashMap::new(),
            finished: VecDeque::new(),
            next_call: 0,
            copies_held: false,
        })
    }

    fn start(
        &mut self,
        data: &[u8],
        f: impl FnOnce(*mut ffi::RawCore, *mut ffi::RawCall) -> i32,
    ) -> CallId {
        let call = Call::new(data);
        let id = CallId(self.next_call);
        self.next_call += 1;
        let result = f(self.raw.as_ptr(), call.raw());
        self.calls.insert(id, call);
        if result != PENDING {
            self.end(id, result);
        }
        self.collect();
        id
    }

    fn end(&mut self, id: CallId, result: i32) {
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        let outcome = call.outcome(result);
        // SAFETY: the call was prepared; only a bind leaves a new endpoint in it.
        let ep = unsafe { ffi::dvs_shim_call_endpoint(call.raw()) };
        if result == 0 && !ep.is_null() {
            self.endpoints.entry(outcome.from.nr).or_insert(ep);
        }
        self.finished.push_back((id, outcome));
    }

    /// Takes over what the core did during the last event.
    fn collect(&mut self) {
        for ep in std::mem::take(&mut self.shell.released) {
            self.endpoints.retain(|_, other| *other != ep);
        }
        for raw in std::mem::take(&mut self.shell.woken) {
            let woken = self.calls.iter().find(|(_, call)| call.raw() == raw);
            let Some((&id, _)) = woken else {
                unreachable!("only calls under way are woken")
            };
            let mut out = ffi::CallResult::default();
            // SAFETY: a call of ours that the core has finished.
            unsafe { ffi::dvs_shim_call_result(raw, &raw mut out) };
            self.end(id, out.result);
        }
    }

    fn ep(&self, nr: i32) -> *mut ffi::RawEndpoint {
        self.endpoints
            .get(&nr)
            .copied()
            .unwrap_or(std::ptr::null_mut())
    }

    /// Binds an endpoint number.
    pub fn bind(&mut self, nr: i32, now: u64) -> CallId {
        // SAFETY: core and call are valid; the call lives until it has ended.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_bind(core, call, nr, now)
        })
    }

    /// Gives up an endpoint bound here. Does nothing for others.
    pub fn unbind(&mut self, nr: i32, now: u64) {
        if let Some(ep) = self.endpoints.remove(&nr) {
            // SAFETY: bound and not unbound yet.
            unsafe { ffi::dvs_unbind(self.raw.as_ptr(), ep, now) };
            self.collect();
        }
    }

    /// Sends `data`, at most [`MAX_MESSAGE`] bytes, from endpoint `ep`.
    pub fn send(&mut self, ep: i32, dst: Addr, data: &[u8], flags: u32, now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `bind`; `ep` is bound here or null.
        self.start(data, |core, call| unsafe {
            ffi::dvs_send(core, call, ep, dst, flags, now)
        })
    }

    /// Sends a request and waits for its reply.
    pub fn sendrec(&mut self, ep: i32, dst: Addr, data: &[u8], flags: u32, now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(data, |core, call| unsafe {
            ffi::dvs_sendrec(core, call, ep, dst, flags, now)
        })
    }

    /// Receives from one source, or from [`ANY`].
    pub fn receive(&mut self, ep: i32, from: Addr, flags: u32, now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_receive(core, call, ep, from, flags, now)
        })
    }

    /// Answers a request; `token` 0 means the oldest one of `dst`.
    pub fn reply(&mut self, ep: i32, dst: Addr, token: u64, data: &[u8], now: u64) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(data, |core, call| unsafe {
            ffi::dvs_reply(core, call, ep, dst, token, now)
        })
    }

    /// Sets the caller's bit at `dst`.
    pub fn notify(&mut self, ep: i32, dst: Addr, now: u64) -> CallId {
        self.notify_value(ep, dst, SELF, NO_VALUE, now)
    }

    /// Sets the bit of `source` at `dst`, with a value.
    pub fn notify_value(
        &mut self,
        ep: i32,
        dst: Addr,
        source: i32,
        value: i64,
        now: u64,
    ) -> CallId {
        let ep = self.ep(ep);
        // SAFETY: as in `send`.
        self.start(&[], |core, call| unsafe {
            ffi::dvs_notify(core, call, ep, dst, source, value, now)
        })
    }

    /// The caller wants to leave. Whether it could is seen by [`Core::finished`].
    pub fn cancel(&mut self, id: CallId, why: i32, now: u64) {
        if let Some(call) = self.calls.get(&id) {
            // SAFETY: a call under way.
            let r = unsafe { ffi::dvs_call_cancel(self.raw.as_ptr(), call.raw(), why, now) };
            self.collect();
            if r != PENDING {
                self.end(id, r);
            }
        }
    }

    /// The caller leaves now, after [`Core::cancel`] and the grace time.
    pub fn abandon(&mut self, id: CallId, now: u64) {
        if let Some(call) = self.calls.get(&id) {
            // SAFETY: a call under way.
            let r = unsafe { ffi::dvs_call_abandon(self.raw.as_ptr(), call.raw(), now) };
            self.collect();
            self.end(id, r);
        }
    }

    /// Is the call still under way?
    #[must_use]
    pub fn is_pending(&self, id: CallId) -> bool {
        self.calls.contains_key(&id)
    }

    /// The next call that has ended.
    pub fn finished(&mut self) -> Option<(CallId, Outcome)> {
        self.finished.pop_front()
    }

    /// Would a receive from any source get something at once?
    #[must_use]
    pub fn is_readable(&self, ep: i32) -> bool {
        let ep = self.ep(ep);
        // SAFETY: bound here.
        !ep.is_null() && unsafe { ffi::dvs_ep_readable(ep) } != 0
    }

    /// A frame arrived, of either class.
    pub fn frame(&mut self, frame: &[u8], now: u64) {
        if frame.first().is_some_and(|&kind| kind >= BULK_DATA) {
            self.bulk_frame(frame, now);
            self.work_unless_held(now);
            return;
        }
        let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        // SAFETY: the buffer has `len` bytes; the core copies what it keeps.
        unsafe { ffi::dvs_core_frame(self.raw.as_ptr(), frame.as_ptr().cast(), len, now) };
        self.collect();
        self.work_unless_held(now);
    }

    /// A batch of frames is over.
    pub fn batch_end(&mut self, now: u64) {
        // SAFETY: the core is valid.
        unsafe { ffi::dvs_core_batch_end(self.raw.as_ptr(), now) };
        self.collect();
    }

    /// A control request was answered with another status than accepted.
    pub fn refused(&mut self, nonce: u64, status: u32, now: u64) {
        // SAFETY: the core is valid.
        unsafe { ffi::dvs_core_refused(self.raw.as_ptr(), nonce, status, now) };
        self.collect();
    }

    /// The device takes the next frame from the transmit ring.
    pub fn take_frame(&mut self, now: u64) -> Option<Vec<u8>> {
        let (slot, len) = self.shell.ring.pop_front()?;
        // SAFETY: the core named a slot and a length within the slot memory.
        let bytes = unsafe {
            std::slice::from_raw_parts(
                self.slots.ptr.as_ptr().add(slot as usize * SLOT),
                len as usize,
            )
        };
        let frame = bytes.to_vec();
        if std::mem::take(&mut self.shell.ring_was_full) {
            self.room(now);
        }
        Some(frame)
    }

    /// The device takes the next request from the control queue.
    pub fn take_control(&mut self) -> Option<ControlRequest> {
        self.shell.control.pop_front()
    }

    /// From now on the control queue takes no more than `size` requests at once; what finds it
    /// full waits for [`Core::room`].
    pub fn limit_control(&mut self, size: usize) {
        self.shell.control_size = size;
    }

    /// A queue that was full has room again.
    pub fn room(&mut self, now: u64) {
        // SAFETY: the core is valid.
        unsafe { ffi::dvs_core_room(self.raw.as_ptr(), now) };
        self.collect();
    }

    /// When [`Core::timer`] is wanted; `u64::MAX`: not at all.
    #[must_use]
    pub fn timer_at(&self) -> u64 {
        self.shell.timer_at
    }

    /// The time that was asked for has come.
    pub fn timer(&mut self, now: u64) {
        self.shell.timer_at = u64::MAX;
        // SAFETY: the core is valid.
        unsafe { ffi::dvs_core_timer(self.raw.as_ptr(), now) };
        self.collect();
    }

    /// The device is gone for good.
    pub fn stop(&mut self) {
        // SAFETY: the core is valid.
        unsafe { ffi::dvs_core_stop(self.raw.as_ptr()) };
        self.shell.work.clear();
        self.collect();
    }

    /// Which life of the VM it is: that of its [`Identity`], until the node gives it another one.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        // SAFETY: the core is valid.
        unsafe { ffi::dvs_core_incarnation(self.raw.as_ptr()) }
    }

    /// The core's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        // SAFETY: `stats` is valid for writing.
        unsafe { ffi::dvs_core_stats(self.raw.as_ptr(), &raw mut stats) };
        stats
    }
}
