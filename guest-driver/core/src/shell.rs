//! The shell of a core in user space: transmit rings, a control queue, a list of calls that ended,
//! and vectors as the memory of endpoints.

use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;

use crate::{ControlRequest, EndpointState, ffi};

/// A place in the memory of an endpoint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) ep: i32,
    pub(crate) at: usize,
}

/// A frame on the bulk transmit ring.
pub(crate) struct BulkPost {
    pub(crate) slot: u32,
    pub(crate) side: *mut ffi::Side,
    pub(crate) from: Option<Place>,
    pub(crate) len: usize,
}

/// What the core has asked for and a real shell does in threads of its own.
pub(crate) enum Work {
    Open {
        side: *mut ffi::Side,
        bytes: usize,
    },
    Run {
        sides: [*mut ffi::Side; 2],
        places: [Place; 2],
        bytes: usize,
        begun: bool,
    },
    Write {
        side: *mut ffi::Side,
        to: Place,
        data: Vec<u8>,
    },
}

/// What the actions of the core write to.
pub(crate) struct Shell {
    pub(crate) ring: VecDeque<(u32, u32)>,
    pub(crate) ring_size: usize,
    pub(crate) ring_was_full: bool,
    pub(crate) control: VecDeque<ControlRequest>,
    pub(crate) control_size: usize,
    pub(crate) woken: Vec<*mut ffi::RawCall>,
    pub(crate) released: Vec<*mut ffi::RawEndpoint>,
    pub(crate) timer_at: u64,
    pub(crate) bulk: VecDeque<BulkPost>,
    pub(crate) memory: HashMap<i32, Vec<u8>>,
    /// Sides that were opened and not closed, and where each begins.
    pub(crate) open: HashMap<*mut ffi::Side, Place>,
    pub(crate) work: VecDeque<Work>,
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
            released: Vec::new(),
            timer_at: u64::MAX,
            bulk: VecDeque::new(),
            memory: HashMap::new(),
            open: HashMap::new(),
            work: VecDeque::new(),
        }
    }

    /// The bytes of an endpoint's memory from here on, if there are so many.
    pub(crate) fn bytes(&mut self, place: Place, len: usize) -> Option<&mut [u8]> {
        let end = place.at.checked_add(len)?;
        self.memory.get_mut(&place.ep)?.get_mut(place.at..end)
    }
}

/// Where a side begins; the region of a grant is its offset in the lender's memory, plus one.
pub(crate) fn place_of(side: &ffi::Side) -> Place {
    // SAFETY: the core passes a side of an endpoint of its own.
    let ep = unsafe { ffi::dvs_ep_addr(side.ep) }.nr;
    let base = (side.region.addr() as u64).saturating_sub(1);
    let at = usize::try_from(base.saturating_add(side.address)).unwrap_or(usize::MAX);
    Place { ep, at }
}

/// What the core does to its shell.
pub(crate) static OPS: ffi::Ops = ffi::Ops {
    wake,
    readable,
    transmit,
    reusable,
    control,
    timer,
    describe,
    released,
    bulk_transmit,
    bulk_reusable,
    copy_open,
    copy_close,
    copy_run,
    unlent,
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

/// Whoever has an endpoint here is no process.
unsafe extern "C" fn describe(
    _ctx: *mut c_void,
    _ep: *mut ffi::RawEndpoint,
    state: *mut EndpointState,
) {
    // SAFETY: the core passes a valid state, and nobody else sees it now.
    let state = unsafe { &mut *state };
    state.name[..4].copy_from_slice(b"core");
}

unsafe extern "C" fn released(ctx: *mut c_void, ep: *mut ffi::RawEndpoint) {
    shell(ctx).released.push(ep);
}

unsafe extern "C" fn bulk_transmit(
    ctx: *mut c_void,
    slot: u32,
    side: *mut ffi::Side,
    offset: u64,
    len: u32,
) -> i32 {
    let shell = shell(ctx);
    if shell.bulk.len() >= shell.ring_size {
        shell.ring_was_full = true;
        return 1;
    }
    let start = shell.open.get(&side).copied();
    assert_eq!(start.is_some(), len > 0, "data comes from an open side");
    let from = start.map(|p| Place {
        at: p.at + usize::try_from(offset).unwrap_or(0),
        ..p
    });
    shell.bulk.push_back(BulkPost {
        slot,
        side,
        from,
        len: len as usize,
    });
    0
}

unsafe extern "C" fn bulk_reusable(ctx: *mut c_void, slot: u32) -> i32 {
    let shell = shell(ctx);
    let busy = shell.bulk.iter().any(|post| post.slot == slot);
    shell.ring_was_full |= busy;
    i32::from(!busy)
}

unsafe extern "C" fn copy_open(ctx: *mut c_void, side: *mut ffi::Side) -> i32 {
    let shell = shell(ctx);
    // SAFETY: the core passes a valid side.
    let (place, bytes) = unsafe { (place_of(&*side), (*side).bytes as usize) };
    shell.open.insert(side, place);
    shell.work.push_back(Work::Open { side, bytes });
    0
}

unsafe extern "C" fn copy_close(ctx: *mut c_void, side: *mut ffi::Side) {
    let shell = shell(ctx);
    assert!(shell.open.remove(&side).is_some(), "closed, and not open");
    let posted = shell.bulk.iter().any(|post| post.side == side);
    assert!(!posted, "closed while a frame on the ring refers to it");
}

unsafe extern "C" fn copy_run(ctx: *mut c_void, src: *mut ffi::Side, dst: *mut ffi::Side) {
    let shell = shell(ctx);
    // SAFETY: the core passes valid sides.
    let bytes = unsafe { (*src).bytes } as usize;
    shell.work.push_back(Work::Run {
        sides: [src, dst],
        places: [shell.open[&src], shell.open[&dst]],
        bytes,
        begun: false,
    });
}

unsafe extern "C" fn unlent(_ctx: *mut c_void, _region: *mut c_void) {}
