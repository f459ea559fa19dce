//! What goes through the rings: frames and control requests.

use crate::frame::{
    CTL_AWAIT, CTL_BIND, CTL_FORGET, CTL_LOOKUP, CTL_OFFER, CTL_PRIVILEGE, CTL_TAKE, CTL_UNBIND,
    ControlRequest, ControlResponse, FRAME_HEADER, Frame, kind,
};
use crate::privileges::Privileges;
use crate::spec::{QUEUE_BULK_TX, QUEUE_CONTROL, QUEUE_MSG_RX, QUEUE_MSG_TX};
use crate::testing::{Guest, NEXT, Outcome, WRITE};
use std::sync::atomic::Ordering;
use vm_memory::{Bytes, GuestAddress};
use zerocopy::{FromZeros, IntoBytes};

impl Guest {
    /// Puts a frame into the ring of its class. Does not kick.
    pub fn send(&mut self, header: &Frame, payload: &[u8]) -> Outcome<()> {
        let bulk = header.kind >= kind::BULK_DATA;
        let queue = if bulk { QUEUE_BULK_TX } else { QUEUE_MSG_TX };
        self.send_on(queue, header, payload)
    }

    /// Puts a frame into a ring. Does not kick.
    pub fn send_on(&mut self, queue: usize, header: &Frame, payload: &[u8]) -> Outcome<()> {
        let ring = *self.ring(queue)?;
        let entry = ring.avail_index % ring.size;
        let buffer = ring.buffer_at(entry);
        self.mem
            .write_slice(header.as_bytes(), GuestAddress(buffer))?;
        let behind = GuestAddress(buffer + FRAME_HEADER as u64);
        self.mem.write_slice(payload, behind)?;
        let len = u32::try_from(FRAME_HEADER + payload.len())?;
        self.describe(queue, entry, buffer, len, 0, 0)?;
        self.offer(queue, entry)
    }

    /// Chains that the device has given back and that were not taken from the used ring.
    pub fn returned(&self, queue: usize) -> Outcome<u16> {
        let ring = self.ring(queue)?;
        let index: u16 = self
            .mem
            .load(GuestAddress(ring.used + 2), Ordering::Acquire)?;
        Ok(u16::from_le(index).wrapping_sub(ring.used_seen))
    }

    /// Takes the next chain from the used ring: its head and the bytes written.
    pub fn take_used(&mut self, queue: usize) -> Outcome<Option<(u16, u32)>> {
        if self.returned(queue)? == 0 {
            return Ok(None);
        }
        let ring = *self.ring(queue)?;
        let at = ring.used + 4 + 8 * u64::from(ring.used_seen % ring.size);
        let head: u32 = self.mem.read_obj(GuestAddress(at))?;
        let len: u32 = self.mem.read_obj(GuestAddress(at + 4))?;
        self.ring_mut(queue)?.used_seen = ring.used_seen.wrapping_add(1);
        Ok(Some((
            u16::try_from(u32::from_le(head))?,
            u32::from_le(len),
        )))
    }

    /// Takes the next frame from a receive ring and gives the buffer back to the device.
    pub fn receive(&mut self, queue: usize) -> Outcome<Option<(Frame, Vec<u8>)>> {
        let frame = self.receive_and_keep(queue)?;
        if frame.is_some() {
            self.post_some(queue, 1)?;
        }
        Ok(frame)
    }

    /// Takes the next frame from a receive ring and keeps the buffer.
    pub fn receive_and_keep(&mut self, queue: usize) -> Outcome<Option<(Frame, Vec<u8>)>> {
        let Some((entry, len)) = self.take_used(queue)? else {
            return Ok(None);
        };
        let buffer = self.ring(queue)?.buffer_at(entry);
        let mut header = Frame::new_zeroed();
        self.mem
            .read_slice(header.as_mut_bytes(), GuestAddress(buffer))?;
        let count = usize::try_from(len)?
            .checked_sub(FRAME_HEADER)
            .ok_or("short frame")?;
        let mut payload = vec![0; count];
        let behind = GuestAddress(buffer + FRAME_HEADER as u64);
        self.mem.read_slice(&mut payload, behind)?;
        Ok(Some((header, payload)))
    }

    /// All message frames that have come.
    pub fn messages(&mut self) -> Outcome<Vec<Frame>> {
        let mut frames = Vec::new();
        while let Some((header, _)) = self.receive(QUEUE_MSG_RX)? {
            frames.push(header);
        }
        Ok(frames)
    }

    /// Puts a control request into its ring. Does not kick.
    pub fn request(&mut self, request: &ControlRequest) -> Outcome<()> {
        let ring = *self.ring(QUEUE_CONTROL)?;
        // Two descriptors each.
        let head = 2 * (ring.avail_index % (ring.size / 2));
        let buffer = ring.buffer_at(head);
        self.mem
            .write_slice(request.as_bytes(), GuestAddress(buffer))?;
        let request_len = u32::try_from(size_of::<ControlRequest>())?;
        let response_len = u32::try_from(size_of::<ControlResponse>())?;
        self.describe(QUEUE_CONTROL, head, buffer, request_len, NEXT, head + 1)?;
        let response = ring.buffer_at(head + 1);
        self.describe(QUEUE_CONTROL, head + 1, response, response_len, WRITE, 0)?;
        self.offer(QUEUE_CONTROL, head)
    }

    /// Takes the next control response: its status and nonce; `None` for the status where the
    /// device wrote nothing.
    pub fn response(&mut self) -> Outcome<Option<(Option<u32>, u64)>> {
        let Some((head, len)) = self.take_used(QUEUE_CONTROL)? else {
            return Ok(None);
        };
        if len == 0 {
            return Ok(Some((None, 0)));
        }
        let mut response = ControlResponse::new_zeroed();
        let buffer = self.ring(QUEUE_CONTROL)?.buffer_at(head + 1);
        self.mem
            .read_slice(response.as_mut_bytes(), GuestAddress(buffer))?;
        Ok(Some((Some(response.status.get()), response.nonce.get())))
    }

    /// A frame from this guest to another.
    pub fn frame_to(&self, kind: u8, vm: u32, incarnation: u32) -> Frame {
        Frame {
            kind,
            src_vm: self.vm.into(),
            src_inc: self.incarnation.into(),
            dst_vm: vm.into(),
            dst_inc: incarnation.into(),
            seq: 1.into(),
            ..Frame::new_zeroed()
        }
    }
}

/// A BIND request.
pub fn bind(endpoint: i32, nonce: u64) -> ControlRequest {
    request(CTL_BIND, endpoint, 0, nonce)
}

/// An UNBIND request.
pub fn unbind(endpoint: i32, generation: u32, nonce: u64) -> ControlRequest {
    request(CTL_UNBIND, endpoint, generation, nonce)
}

/// A LOOKUP request.
pub fn lookup(endpoint: i32, nonce: u64) -> ControlRequest {
    request(CTL_LOOKUP, endpoint, 0, nonce)
}

/// An AWAIT request.
pub fn await_bound(endpoint: i32, nonce: u64) -> ControlRequest {
    request(CTL_AWAIT, endpoint, 0, nonce)
}

/// A FORGET request.
pub fn forget(nonce: u64) -> ControlRequest {
    request(CTL_FORGET, 0, 0, nonce)
}

/// A PRIVILEGE request.
pub fn privilege(
    endpoint: i32,
    generation: u32,
    privileges: &Privileges,
    nonce: u64,
) -> ControlRequest {
    ControlRequest {
        calls: privileges.calls.into(),
        ipc_to: privileges.ipc_to.into(),
        level: privileges.level.into(),
        ..request(CTL_PRIVILEGE, endpoint, generation, nonce)
    }
}

/// An OFFER request; token 0: an offer is withdrawn.
pub fn offer(endpoint: i32, generation: u32, token: u64, nonce: u64) -> ControlRequest {
    ControlRequest {
        calls: token.into(),
        ..request(CTL_OFFER, endpoint, generation, nonce)
    }
}

/// A TAKE request.
pub fn take(endpoint: i32, generation: u32, token: u64, nonce: u64) -> ControlRequest {
    ControlRequest {
        calls: token.into(),
        ..request(CTL_TAKE, endpoint, generation, nonce)
    }
}

fn request(op: u32, endpoint: i32, generation: u32, nonce: u64) -> ControlRequest {
    ControlRequest {
        op: op.into(),
        nonce: nonce.into(),
        ep: endpoint.into(),
        generation: generation.into(),
        ..ControlRequest::new_zeroed()
    }
}
