//! The C interface of `core.h`, as far as [`Core`](crate::Core) uses it.

use std::ffi::c_void;

use crate::{
    Addr, ControlRequest, CopyRequest, EndpointState, Identity, Limits, Privileges, Stats,
};

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

/// `struct dvs_side`.
#[repr(C)]
pub struct Side {
    pub ep: *mut RawEndpoint,
    pub call: *mut RawCall,
    pub region: *mut c_void,
    pub address: u64,
    pub bytes: u32,
    pub writes: u8,
    pub shell: *mut c_void,
}

/// `struct dvs_ops`.
#[repr(C)]
pub struct Ops {
    pub wake: unsafe extern "C" fn(*mut c_void, *mut RawCall),
    pub readable: unsafe extern "C" fn(*mut c_void, *mut RawEndpoint),
    pub transmit: unsafe extern "C" fn(*mut c_void, u32, u32) -> i32,
    pub reusable: unsafe extern "C" fn(*mut c_void, u32) -> i32,
    pub control: unsafe extern "C" fn(*mut c_void, *const ControlRequest) -> i32,
    pub timer: unsafe extern "C" fn(*mut c_void, u64),
    pub describe: unsafe extern "C" fn(*mut c_void, *mut RawEndpoint, *mut EndpointState),
    pub released: unsafe extern "C" fn(*mut c_void, *mut RawEndpoint),
    pub bulk_transmit: unsafe extern "C" fn(*mut c_void, u32, *mut Side, u64, u32) -> i32,
    pub bulk_reusable: unsafe extern "C" fn(*mut c_void, u32) -> i32,
    pub copy_open: unsafe extern "C" fn(*mut c_void, *mut Side) -> i32,
    pub copy_close: unsafe extern "C" fn(*mut c_void, *mut Side),
    pub copy_run: unsafe extern "C" fn(*mut c_void, *mut Side, *mut Side),
    pub unlent: unsafe extern "C" fn(*mut c_void, *mut c_void),
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
    pub fn dvs_core_incarnation(core: *const RawCore) -> u32;
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
        source: i32,
        value: i64,
        now: u64,
    ) -> i32;
    pub fn dvs_relay(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        client: Addr,
        token: u64,
        dst: Addr,
        now: u64,
    ) -> i32;
    pub fn dvs_wakeup(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        nr: i32,
        now: u64,
    ) -> i32;
    pub fn dvs_await_bind(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        nr: i32,
        now: u64,
    ) -> i32;
    pub fn dvs_await_unbind(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        nr: i32,
        now: u64,
    ) -> i32;
    pub fn dvs_migrate_start(
        core: *mut RawCore,
        call: *mut RawCall,
        nr: i32,
        token: u64,
        now: u64,
    ) -> i32;
    pub fn dvs_migrate_commit(
        core: *mut RawCore,
        call: *mut RawCall,
        nr: i32,
        vm: u32,
        now: u64,
    ) -> i32;
    pub fn dvs_migrate_rollback(core: *mut RawCore, call: *mut RawCall, nr: i32, now: u64) -> i32;
    pub fn dvs_migrate_stay(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        now: u64,
    ) -> i32;
    pub fn dvs_adopt(core: *mut RawCore, call: *mut RawCall, nr: i32, token: u64, now: u64) -> i32;
    pub fn dvs_ep_shutdown(core: *mut RawCore, ep: *mut RawEndpoint, now: u64);
    pub fn dvs_state(
        core: *mut RawCore,
        call: *mut RawCall,
        nr: i32,
        state: *mut EndpointState,
        now: u64,
    ) -> i32;
    pub fn dvs_privileges_get(core: *mut RawCore, nr: i32, privileges: *mut Privileges) -> i32;
    pub fn dvs_privileges_set(
        core: *mut RawCore,
        call: *mut RawCall,
        nr: i32,
        privileges: *const Privileges,
        now: u64,
    ) -> i32;
    pub fn dvs_call_cancel(core: *mut RawCore, call: *mut RawCall, why: i32, now: u64) -> i32;
    pub fn dvs_call_abandon(core: *mut RawCore, call: *mut RawCall, now: u64) -> i32;
    pub fn dvs_vcopy(
        core: *mut RawCore,
        call: *mut RawCall,
        ep: *mut RawEndpoint,
        request: *const CopyRequest,
        now: u64,
    ) -> i32;
    pub fn dvs_copy_sides(call: *const RawCall, src: *mut *mut Side, dst: *mut *mut Side);
    pub fn dvs_copy_opened(core: *mut RawCore, side: *mut Side, result: i32, now: u64);
    pub fn dvs_copy_begin(src: *mut Side, dst: *mut Side) -> i32;
    pub fn dvs_copy_end(core: *mut RawCore, src: *mut Side, dst: *mut Side, now: u64);
    pub fn dvs_copy_ran(core: *mut RawCore, src: *mut Side, dst: *mut Side, result: i32, now: u64);
    pub fn dvs_core_bulk(
        core: *mut RawCore,
        header: *const c_void,
        len: u32,
        offset: *mut u64,
        now: u64,
    ) -> *mut Side;
    pub fn dvs_bulk_written(core: *mut RawCore, side: *mut Side, now: u64);
    pub fn dvs_core_bulk_header(core: *mut RawCore, slot: u32) -> *mut c_void;
    pub fn dvs_lend(
        core: *mut RawCore,
        ep: *mut RawEndpoint,
        to: Addr,
        rights: u32,
        bytes: u64,
        region: *mut c_void,
        grant: *mut u64,
        now: u64,
    ) -> i32;
    pub fn dvs_revoke(core: *mut RawCore, ep: *mut RawEndpoint, grant: u64, now: u64) -> i32;
    pub fn dvs_ep_addr(ep: *const RawEndpoint) -> Addr;
    pub fn dvs_ep_readable(ep: *const RawEndpoint) -> i32;
    pub fn dvs_core_frame(core: *mut RawCore, buffer: *const c_void, len: u32, now: u64);
    pub fn dvs_core_batch_end(core: *mut RawCore, now: u64);
    pub fn dvs_core_refused(core: *mut RawCore, nonce: u64, status: u32, now: u64);
    pub fn dvs_core_room(core: *mut RawCore, now: u64);
    pub fn dvs_core_timer(core: *mut RawCore, now: u64);
    pub fn dvs_shim_call_size() -> usize;
    pub fn dvs_shim_call_prepare(
        call: *mut RawCall,
        send: *mut c_void,
        send_len: u32,
        recv: *mut c_void,
        recv_cap: u32,
    );
    pub fn dvs_shim_call_result(call: *const RawCall, out: *mut CallResult);
    pub fn dvs_shim_call_endpoint(call: *const RawCall) -> *mut RawEndpoint;
}
