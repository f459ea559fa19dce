//! The C interface of `core.h`, as far as [`Core`](crate::Core) uses it.

use std::ffi::c_void;

use crate::{Addr, ControlRequest, Identity, Limits, Stats};

/// Opaque: `struct dvs_core`.
#[derive(Debug)]
#[repr(C)]
pub struct RawCore([u8; 0]);
/// Opaque: `struct dvs_ep`.
#[derive(Debug)]
#[repr(C)]
pub struct RawEndpoint([u8; 0]);
/// Opaque: `struct dvs_call`.
#[derive(Debug)]
#[repr(C)]
pub struct RawCall([u8; 0]);

/// `struct dvs_ops`.
#[repr(C)]
pub struct Ops {
    pub wake: unsafe extern "C" fn(*mut c_void, *mut RawCall),
    pub readable: unsafe extern "C" fn(*mut c_void, *mut RawEndpoint),
    pub transmit: unsafe extern "C" fn(*mut c_void, u32, u32) -> i32,
    pub reusable: unsafe extern "C" fn(*mut c_void, u32) -> i32,
    pub control: unsafe extern "C" fn(*mut c_void, *const ControlRequest) -> i32,
    pub timer: unsafe extern "C" fn(*mut c_void, u64),
    pub released: unsafe extern "C" fn(*mut c_void, *mut RawEndpoint),
}

/// `struct dvs_shim_result`.
#[derive(Default)]
#[repr(C)]
pub struct CallResult {
    pub result: i32,
    pub from: i32,
    pub from_gen: u32,
    pub len: u32,
    pub token: u64,
    pub kind: u32,
    pub reserved: u32,
}

unsafe extern "C" {
    pub fn dvs_core_size(limits: *const Limits) -> usize;
    pub fn dvs_core_slots(limits: *const Limits) -> u32;
    pub fn dvs_core_init(
        memory: *mut c_void,
        slots: *mut c_void,
        limits: *const Limits,
        identity: *const Identity,
        ops: *const Ops,
        ctx: *mut c_void,
    ) -> *mut RawCore;
    pub fn dvs_core_stop(core: *mut RawCore);
    pub fn dvs_core_stats(core: *const RawCore, stats: *mut Stats);
    pub fn dvs_bind(core: *mut RawCore, call: *mut RawCall, nr: i32, now: u64) -> i32;
    pub fn dvs_unbind(core: *mut RawCore, ep: *mut RawEndpoint, now: u64);
    pub fn dvs_send(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        dst: Addr,
        flags: u32,
        now: u64,
    ) -> i32;
    pub fn dvs_sendrec(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        dst: Addr,
        flags: u32,
        now: u64,
    ) -> i32;
    pub fn dvs_receive(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        from: Addr,
        flags: u32,
        now: u64,
    ) -> i32;
    pub fn dvs_reply(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        dst: Addr,
        token: u64,
        now: u64,
    ) -> i32;
    pub fn dvs_notify(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        dst: Addr,
        now: u64,
    ) -> i32;
    pub fn dvs_call_cancel(core: *mut RawCore, call: *mut RawCall, why: i32, now: u64) -> i32;
    pub fn dvs_call_abandon(core: *mut RawCore, call: *mut RawCall, now: u64) -> i32;
    pub fn dvs_ep_readable(ep: *const RawEndpoint) -> i32;
    pub fn dvs_core_frame(core: *mut RawCore, buffer: *const c_void, len: u32, now: u64);
    pub fn dvs_core_batch_end(core: *mut RawCore, now: u64);
    pub fn dvs_core_refused(core: *mut RawCore, nonce: u64, status: u32, now: u64);
    pub fn dvs_core_room(core: *mut RawCore, now: u64);
    pub fn dvs_core_timer(core: *mut RawCore, now: u64);
    pub fn dvs_shim_call_size() -> usize;
    pub fn dvs_shim_call_prepare(
        call: *mut RawCall,
        send: *const c_void,
        send_len: u32,
        recv: *mut c_void,
        recv_cap: u32,
    );
    pub fn dvs_shim_call_result(call: *const RawCall, out: *mut CallResult);
    pub fn dvs_shim_call_endpoint(call: *const RawCall) -> *mut RawEndpoint;
}
