//! To the guest: frames of other guests and of the node.

use super::*;
use crate::device::counters::Counting;
use crate::device::memory::GuestMem;
use crate::device::ring::Ring;

/// Receive buffers without use that are given back before the ring counts as full.
const BAD_BUFFERS_MAX: usize = 16;

impl Fabric {
    /// Puts a frame into a receive buffer of port `to`; `false` if there is no room.
    pub(super) fn deliver(
        &mut self,
        to: PortId,
        class: Class,
        header: &Frame,
        payload: &Payload<'_, '_>,
    ) -> bool {
        let queue = rx_queue(class);
        let Some(device) = self.device_mut(to).filter(|device| device.running) else {
            return false;
        };
        let Some((ring, mem, counting)) = device.ring_and_memory(queue) else {
            return false;
        };
        match put(ring, mem, counting, class, header, payload) {
            Ok(false) => false,
            Ok(true) => {
                counting.frames_out += 1;
                counting.bytes_out += (FRAME_HEADER + payload.len()) as u64;
                self.remember_to_call(to, class);
                self.sight(to, Place::ToGuest, header);
                true
            }
            Err(error) => {
                self.give_up(to, queue, &error);
                false
            }
        }
    }

    /// The same; if there is no room the switch is told, and told again when there is.
    pub(super) fn deliver_or_tell(
        &mut self,
        to: PortId,
        class: Class,
        header: &Frame,
        payload: &Payload<'_, '_>,
        tell: impl FnOnce(&mut Switch),
    ) -> Result<(), Drop> {
        if self.deliver(to, class, header, payload) {
            return Ok(());
        }
        tell(&mut self.switch);
        self.look_for_room_later(to, class);
        Err(Drop::NoRoom)
    }

    /// Says something to a guest, now or, collapsed into RETRY(all), when there is room.
    pub(super) fn say(&mut self, to: PortId, frame: &Frame) {
        let said = self.deliver(to, Class::Message, frame, &Payload::Bytes(&[]));
        if !said {
            self.switch.node_frame_lost(to, frame);
            self.look_for_room_later(to, Class::Message);
        }
        let Some(device) = self.device_mut(to) else {
            return;
        };
        match frame.kind {
            _ if !said => device.counting.node_frames_lost += 1,
            kind::RETRY => device.counting.retries += 1,
            kind::GONE => device.counting.gones += 1,
            _ => {}
        }
    }

    /// Somebody waits for room in a receive ring: asks the guest to kick when it gives some.
    pub(super) fn look_for_room_later(&mut self, id: PortId, class: Class) {
        let queue = rx_queue(class);
        let Some((ring, mem, _)) = self.ring(id, queue) else {
            return;
        };
        match ring.want_kicks(mem) {
            Ok(false) => {}
            // Room came just now, or useless buffers are left: look again, after the others.
            Ok(true) => self.later(id, queue),
            Err(error) => self.give_up(id, queue, &error),
        }
    }

    /// A receive ring may have room again.
    pub(super) fn look_for_room(&mut self, id: PortId, queue: usize) -> Result<(), RingError> {
        let Some(class) = Class::ALL.into_iter().find(|&it| rx_queue(it) == queue) else {
            return Ok(());
        };
        if !self.switch.wants_room(id, class) {
            return Ok(());
        }
        let Some((ring, mem, _)) = self.ring(id, queue) else {
            return Ok(());
        };
        if ring.pop(mem)?.is_none() {
            self.look_for_room_later(id, class);
            return Ok(());
        }
        ring.unpop();
        ring.want_no_kicks(mem)?;
        self.switch.room(id, class);
        Ok(())
    }

    /// Calls the guests that got something.
    pub(super) fn call_guests(&mut self) {
        for id in std::mem::take(&mut self.uncalled) {
            for class in Class::ALL {
                let queue = rx_queue(class);
                let Some(device) = self.device_mut(id) else {
                    continue;
                };
                let flag = device.uncalled.get_mut(class.index());
                if !flag.is_some_and(std::mem::take) {
                    continue;
                }
                if let Err(error) = device.call_if_wanted(queue) {
                    self.give_up(id, queue, &error);
                }
            }
        }
    }

    fn remember_to_call(&mut self, id: PortId, class: Class) {
        let Some(device) = self.device_mut(id) else {
            return;
        };
        let first = device.uncalled == [false; Class::ALL.len()];
        if let Some(flag) = device.uncalled.get_mut(class.index()) {
            *flag = true;
        }
        if first {
            self.uncalled.push(id);
        }
    }

    /// A ring in use, with its memory.
    pub(super) fn ring(
        &mut self,
        id: PortId,
        queue: usize,
    ) -> Option<(&mut Ring, &GuestMem, &mut Counting)> {
        self.device_mut(id)
            .filter(|device| device.running)?
            .ring_and_memory(queue)
    }
}

/// Puts a frame into the next buffer of a receive ring that can hold any frame of its class.
fn put(
    ring: &mut Ring,
    mem: &GuestMem,
    counting: &mut Counting,
    class: Class,
    header: &Frame,
    payload: &Payload<'_, '_>,
) -> Result<bool, RingError> {
    for _ in 0..BAD_BUFFERS_MAX {
        let Some(chain) = ring.pop(mem)? else {
            return Ok(false);
        };
        let head = chain.head_index();
        let mut buffer = Pieces::new();
        let usable = one_way(mem, chain, true, &mut buffer)
            .and_then(|()| {
                if buffer.len() < class.frame_max() {
                    return Err(BadChain::Short);
                }
                buffer.write(header.as_bytes(), payload)
            })
            .is_ok();
        if usable {
            ring.push(mem, head, FRAME_HEADER + payload.len())?;
            return Ok(true);
        }
        counting.bad_buffers += 1;
        ring.push(mem, head, 0)?;
    }
    Ok(false)
}
