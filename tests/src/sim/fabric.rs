//! The path of a frame: out of a transmit ring, by the switch, into a receive ring, and what is
//! owed where there is no room. The order is that of the device adapter.

use virtio_dvs::directory::NodeId;
use virtio_dvs::frame::{Class, ControlRequest, ControlStatus, Frame, kind};
use virtio_dvs::switch::peer::Stamp;
use virtio_dvs::switch::{Drop, PortId, Verdict};
use zerocopy::{FromBytes, IntoBytes};

use super::agenda::MS;
use super::world::World;

/// More than any transmit ring holds.
const WHOLE_RING: usize = 256;

impl World {
    /// A guest has kicked its transmit or its control queue.
    pub(super) fn kick(&mut self, vm: u32) {
        self.guest_mut(vm).kicked = false;
        let Some((host, port)) = self.port_of(vm).filter(|_| self.guest(vm).running) else {
            return;
        };
        if self.drain(host, port, vm, self.plan.settings.share) {
            self.kick_later(vm);
        }
        self.settle(host);
        while let Some(request) = self.take_control(vm) {
            // What was on the transmit queue before belongs before it.
            self.drain(host, port, vm, WHOLE_RING);
            let status = self.hosts[host].switch.control(port, &request);
            let answer = (request.nonce.get(), status as u32);
            self.guest_mut(vm).answered.push_back(answer);
            if status != ControlStatus::Accepted {
                self.count.refused_controls += 1;
            }
            self.settle(host);
            self.interrupt_later(vm);
        }
        self.collect(vm);
        self.arm_timer(vm);
    }

    fn take_control(&mut self, vm: u32) -> Option<ControlRequest> {
        let request = self.guest_mut(vm).core.as_mut()?.take_control()?;
        Some(ControlRequest {
            op: request.op.into(),
            flags: request.flags.into(),
            nonce: request.nonce.into(),
            ep: request.ep.into(),
            generation: request.gen_.into(),
            calls: request.calls.into(),
            ipc_to: request.ipc_to.into(),
            level: request.level.into(),
            ..ControlRequest::default()
        })
    }

    /// Carries at most `share` frames of a transmit ring; true if more may be there.
    pub(super) fn drain(&mut self, host: usize, port: PortId, vm: u32, share: usize) -> bool {
        let life = self.guest(vm).life;
        if let Some(half) = self.hosts[host].half_done.take_if(|it| it.vm == vm)
            && half.life == life
        {
            self.carry(host, port, &half.frame);
        }
        let mut more = true;
        for _ in 0..share {
            let Some(frame) = self.take_frame(vm) else {
                more = false;
                break;
            };
            self.carry(host, port, &frame);
        }
        self.hosts[host].switch.batch_end(port);
        more
    }

    pub(super) fn take_frame(&mut self, vm: u32) -> Option<Vec<u8>> {
        let now = self.now;
        let guest = self.guest_mut(vm);
        let frame = guest.core.as_mut()?.take_frame(now)?;
        guest.taken += 1;
        Some(frame)
    }

    pub(super) fn carry(&mut self, host: usize, from: PortId, frame: &[u8]) {
        self.count.frames += 1;
        let Ok((header, payload)) = Frame::read_from_prefix(frame) else {
            return self
                .ledger
                .wrong(format!("a frame of {} bytes", frame.len()));
        };
        let switch = &mut self.hosts[host].switch;
        let verdict = switch.frame(from, &header, Class::Message, payload.len());
        self.trace(|| {
            format!(
                "{} → {:?}: {verdict:?}",
                header.src_vm.get(),
                Brief(&header)
            )
        });
        match verdict {
            Verdict::Deliver(to) => {
                if !self.deliver(host, to, frame) {
                    self.hosts[host].switch.no_room(from, to, Class::Message);
                    self.want_room(host, to);
                }
            }
            Verdict::Forward(node, stamp) => self.forward(host, from, node, stamp, frame),
            Verdict::Tell => {
                // Who asked may have asked anew since, or be another node.
                let told = self.hosts[host].switch.told(from, &header, payload);
                self.count.tells += 1;
                self.count.dropped += u64::from(told.is_err());
            }
            Verdict::Drop(reason) => self.dropped(&header, reason),
        }
    }

    /// A frame came over a link.
    pub(super) fn arrived(&mut self, from: NodeId, to: usize, stamp: Stamp, frame: &[u8]) {
        self.count.arrived += 1;
        let Ok((header, payload)) = Frame::read_from_prefix(frame) else {
            return;
        };
        let (switch, class) = (&mut self.hosts[to].switch, Class::Message);
        let verdict = switch.remote_frame(from, stamp, &header, class, payload.len());
        self.trace(|| {
            let vm = header.src_vm.get();
            format!("{from}: {vm} → {:?}: {verdict:?}", Brief(&header))
        });
        match verdict {
            Verdict::Deliver(port) => {
                self.judge_leases(from, to, &header);
                if !self.deliver(to, port, frame) {
                    self.hosts[to].switch.remote_no_room(from, port, class);
                    self.want_room(to, port);
                }
            }
            Verdict::Drop(reason) => self.dropped(&header, reason),
            Verdict::Forward(..) | Verdict::Tell => {
                self.ledger.wrong(format!("from a link: {verdict:?}"));
            }
        }
    }

    fn deliver(&mut self, host: usize, to: PortId, frame: &[u8]) -> bool {
        let done = self.put(host, to, frame);
        let count = match done {
            true => &mut self.count.delivered,
            false => &mut self.count.full,
        };
        *count += 1;
        done
    }

    /// No honest frame is dropped without a reason.
    fn dropped(&mut self, header: &Frame, reason: Drop) {
        *self.count.drops.entry(reason.name()).or_default() += 1;
        self.count.dropped += 1;
        let source = (header.src_vm.get(), header.src_inc.get());
        let fine = match reason {
            Drop::DestinationOver | Drop::DestinationNew | Drop::NotRunning => true,
            Drop::Looking | Drop::LinkDown | Drop::NoLease | Drop::NotHere => self.is_cluster(),
            Drop::Held => self.ledger.has_moved(source.0),
            // It was under way when its machine moved.
            Drop::Contradicts if self.ledger.has_moved(source.0) => true,
            // It does not know it yet.
            Drop::SourceOver | Drop::Contradicts => self.ledger.is_life_over(source),
            _ => false,
        };
        if !fine {
            let brief = Brief(header);
            self.ledger
                .wrong(format!("the switch drops {brief:?}: {reason:?}"));
        }
    }

    fn put(&mut self, host: usize, to: PortId, frame: &[u8]) -> bool {
        let vm = self.vm_of(host, to);
        let size = self.plan.settings.receive_ring;
        let guest = self.guest_mut(vm);
        let done = guest.running && guest.host == host && guest.put(frame, size);
        if done {
            self.interrupt_later(vm);
        }
        done
    }

    /// Somebody waits for room in a receive ring.
    fn want_room(&mut self, host: usize, port: PortId) {
        let vm = self.vm_of(host, port);
        let size = self.plan.settings.receive_ring;
        let guest = self.guest_mut(vm);
        if guest.host != host {
            return; // It was here before.
        }
        guest.wants_room_kick = guest.running && guest.received.len() >= size;
        if guest.running && !guest.wants_room_kick {
            self.room_kick_later(vm);
        }
    }

    pub(super) fn room_kick(&mut self, vm: u32) {
        let Some((host, port)) = self.port_of(vm).filter(|_| self.guest(vm).running) else {
            return;
        };
        if !self.hosts[host].switch.wants_room(port, Class::Message) {
            return;
        }
        if self.guest(vm).received.len() >= self.plan.settings.receive_ring {
            return self.want_room(host, port);
        }
        self.hosts[host].switch.room(port, Class::Message);
        self.settle(host);
    }

    pub(super) fn say(&mut self, host: usize, to: PortId, frame: &Frame) {
        self.trace(|| format!("node → {:?}", Brief(frame)));
        let one = frame.kind == kind::RETRY && frame.arg.get() != 0;
        if one && self.retries_to_lose > 0 {
            self.retries_to_lose -= 1;
            self.count.lost_retries += 1;
            self.ledger.trouble(self.now, self.now + 1_500 * MS);
            return;
        }
        if !self.put(host, to, frame.as_bytes()) {
            self.hosts[host].switch.node_frame_lost(to, frame);
            self.want_room(host, to);
        }
    }
}

/// A frame's header in one short line.
struct Brief<'a>(&'a Frame);

impl std::fmt::Debug for Brief<'_> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Frame {
            kind,
            dst_vm,
            seq,
            ack,
            ..
        } = *self.0;
        let (dst_vm, seq, ack) = (dst_vm.get(), seq.get(), ack.get());
        let (src, dst) = (self.0.src_ep.get(), self.0.dst_ep.get());
        let (op, result, arg) = (self.0.op.get(), self.0.result.get(), self.0.arg.get());
        write!(to, "VM {dst_vm} kind {kind} #{seq} ack {ack} {src}→{dst} ")?;
        write!(to, "op {op:x} result {result} arg {arg:x}")
    }
}
