//! Memory that the core uses and does not own: its own, its slots', its calls'.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::{Addr, Kind, MAX_MESSAGE, Outcome, ffi};

/// Zeroed memory with the alignment that the core asks for.
pub(crate) struct Memory {
    pub(crate) ptr: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    pub(crate) fn new(size: usize) -> Self {
        let Ok(layout) = Layout::from_size_align(size.max(16), 16) else {
            handle_alloc_error(Layout::new::<u128>())
        };
        // SAFETY: the layout has a size that is not zero.
        let ptr = unsafe { alloc_zeroed(layout) };
        let Some(ptr) = NonNull::new(ptr) else {
            handle_alloc_error(layout)
        };
        Memory { ptr, layout }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), self.layout) }
    }
}

/// A call's memory: the C structure and its buffers, none of which moves.
pub(crate) struct Call {
    raw: Memory,
    _send: Box<[u8]>,
    recv: Box<[u8]>,
}

impl Call {
    pub(crate) fn new(data: &[u8]) -> Self {
        // A relay puts another message there, which may be longer.
        let mut send = data.to_vec();
        send.resize(data.len().max(MAX_MESSAGE), 0);
        let mut send = send.into_boxed_slice();
        let mut recv = vec![0; MAX_MESSAGE].into_boxed_slice();
        // SAFETY: no arguments.
        let raw = Memory::new(unsafe { ffi::dvs_shim_call_size() });
        // SAFETY: `raw` has the size of a call; the buffers live as long as it.
        unsafe {
            ffi::dvs_shim_call_prepare(
                raw.ptr.as_ptr().cast(),
                send.as_mut_ptr().cast(),
                u32::try_from(data.len()).unwrap_or(u32::MAX),
                recv.as_mut_ptr().cast(),
                u32::try_from(recv.len()).unwrap_or(0),
            );
        }
        Call {
            raw,
            _send: send,
            recv,
        }
    }

    pub(crate) fn raw(&self) -> *mut ffi::RawCall {
        self.raw.ptr.as_ptr().cast()
    }

    pub(crate) fn outcome(&self, result: i32) -> Outcome {
        let mut out = ffi::CallResult::default();
        // SAFETY: the call was prepared; `out` is valid for writing.
        unsafe { ffi::dvs_shim_call_result(self.raw(), &raw mut out) };
        let kind = match out.kind {
            1 => Kind::Message,
            2 => Kind::Request,
            3 => Kind::Notify,
            4 => Kind::Reply,
            _ => Kind::None,
        };
        let len = (out.len as usize).min(self.recv.len());
        let has_data = result == 0 && kind != Kind::None;
        Outcome {
            result,
            from: Addr {
                nr: out.from,
                gen_: out.from_gen,
            },
            kind,
            token: out.token,
            data: if has_data {
                self.recv[..len].to_vec()
            } else {
                Vec::new()
            },
        }
    }
}
