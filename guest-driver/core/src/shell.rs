//! The shell of a core in user space: a transmit ring, a control queue, a list of calls that ended.

use std::collections::VecDeque;
use std::ffi::c_void;

use crate::{ControlRequest, ffi};

/// What the actions of the core write to.
pub(crate) struct Shell {
    pub(crate) ring: VecDeque<(u32, u32)>,
    pub(crate) ring_size: usize,
    pub(crate) ring_was_full: bool,
    pub(crate) control: VecDeque<ControlRequest>,
    pub(crate) control_size: usize,
    pub(crate) woken: Vec<*mut ffi::RawCall>,
    pub(crate) timer_at: u64,
}

impl Shell {
    pub(crate) fn new(ring_size: usize) -> Self {
        Shell {
            ring: VecDeque::new(),
            ring_size,
            ring_was_full: false,
            control: VecDeque::new(),
            control_size: usize::MAX,
            woken: Vec::new(),
            timer_at: u64::MAX,
        }
    }
}

/// What the core does to its shell.
pub(crate) static OPS: ffi::Ops = ffi::Ops {
    wake,
    readable,
    transmit,
    reusable,
    control,
    timer,
    released,
};

fn shell<'a>(ctx: *mut c_void) -> &'a mut Shell {
    // SAFETY: `ctx` is the boxed shell of the core that calls; no other
    // reference to it is alive while the core runs.
    unsafe { &mut *ctx.cast() }
}

unsafe extern "C" fn wake(ctx: *mut c_void, call: *mut ffi::RawCall) {
    shell(ctx).woken.push(call);
}

unsafe extern "C" fn readable(_ctx: *mut c_void, _ep: *mut ffi::RawEndpoint) {}

unsafe extern "C" fn transmit(ctx: *mut c_void, slot: u32, len: u32) -> i32 {
    let shell = shell(ctx);
    if shell.ring.len() >= shell.ring_size {
        shell.ring_was_full = true;
        return 1;
    }
    shell.ring.push_back((slot, len));
    0
}

unsafe extern "C" fn reusable(ctx: *mut c_void, slot: u32) -> i32 {
    let shell = shell(ctx);
    let busy = shell.ring.iter().any(|&(s, _)| s == slot);
    shell.ring_was_full |= busy;
    i32::from(!busy)
}

unsafe extern "C" fn control(ctx: *mut c_void, request: *const ControlRequest) -> i32 {
    let shell = shell(ctx);
    if shell.control.len() >= shell.control_size {
        return 1;
    }
    // SAFETY: the core passes a valid request.
    shell.control.push_back(unsafe { *request });
    0
}

unsafe extern "C" fn timer(ctx: *mut c_void, at: u64) {
    shell(ctx).timer_at = at;
}

unsafe extern "C" fn released(_ctx: *mut c_void, _ep: *mut ffi::RawEndpoint) {}
