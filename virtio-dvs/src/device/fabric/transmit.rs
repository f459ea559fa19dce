//! From the guest: frames and control requests.

use super::*;

/// What is left in a queue after a share of it was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Nothing, and the guest kicks when something comes.
    Nothing,
    /// There may be more.
    More,
    /// There is more, but the port is over its rate.
    Throttled,
}

impl Fabric {
    /// Handles the frames of a transmit queue, up to a fair share.
    pub(super) fn drain(
        &mut self,
        id: PortId,
        queue: usize,
        class: Class,
    ) -> Result<(), RingError> {
        if self.drain_some(id, queue, class, fair_share(class))? == Left::More {
            self.later(id, queue);
        }
        Ok(())
    }

    /// Handles at most `share` frames. Unless nothing is left, kicks stay off.
    fn drain_some(
        &mut self,
        id: PortId,
        queue: usize,
        class: Class,
        share: usize,
    ) -> Result<Left, RingError> {
        let Some(memory) = self.device(id).map(|device| device.memory.clone()) else {
            return Ok(Left::Nothing);
        };
        let mem = memory.guest();
        let mut share_left = share;
        let left = loop {
            let Some((ring, _, _)) = self.ring(id, queue) else {
                return Ok(Left::Nothing);
            };
            if share_left == share {
                ring.want_no_kicks(mem)?;
            }
            if share_left == 0 {
                break Left::More;
            }
            let Some(chain) = ring.pop(mem)? else {
                if ring.want_kicks(mem)? {
                    continue;
                }
                break Left::Nothing;
            };
            if !self.may_send(id) {
                if let Some((ring, _, _)) = self.ring(id, queue) {
                    ring.unpop();
                }
                break Left::Throttled;
            }
            share_left -= 1;
            let head = chain.head_index();
            let mut pieces = Pieces::new();
            let walked = one_way(mem, chain, false, &mut pieces);
            self.carry(id, class, walked.map(|()| &pieces));
            let Some((ring, _, _)) = self.ring(id, queue) else {
                return Ok(Left::Nothing);
            };
            ring.push(mem, head, 0)?;
        };
        self.switch.batch_end(id);
        if let Some(device) = self.device_mut(id) {
            device.call_if_wanted(queue)?;
        }
        Ok(left)
    }

    /// Whether the port's rate allows one more frame; if not, its queues wait.
    fn may_send(&mut self, id: PortId) -> bool {
        let now = self.epoch;
        let Some(bucket) = self.device_mut(id).and_then(|it| it.bucket.as_mut()) else {
            return true;
        };
        match bucket.take(now.elapsed()) {
            Ok(()) => true,
            Err(at) => {
                self.throttled.insert(id, at);
                false
            }
        }
    }

    /// Takes one frame from its chain to where the switch says.
    fn carry(&mut self, from: PortId, class: Class, chain: Result<&Pieces<'_>, BadChain>) {
        let taken = chain.and_then(|pieces| {
            let mut header = Frame::new_zeroed();
            pieces.read(header.as_mut_bytes())?;
            Ok((pieces, header))
        });
        let dropped = match taken {
            Err(_) => Some(Drop::Chain),
            Ok((pieces, header)) => {
                self.sight(from, Place::FromGuest, &header);
                let dropped = self.pass_on(from, class, &header, pieces).err();
                if let Some(drop) = dropped {
                    self.sight(from, Place::Dropped(drop), &header);
                }
                dropped
            }
        };
        let bytes = chain.map_or(0, Pieces::len) as u64;
        if let Some(device) = self.device_mut(from) {
            device.counting.frames_in += 1;
            match dropped {
                Some(drop) => device.counting.dropped(drop),
                None => device.counting.bytes_in += bytes,
            }
        }
    }

    /// Gives a frame to whom the switch says.
    fn pass_on(
        &mut self,
        from: PortId,
        class: Class,
        header: &Frame,
        pieces: &Pieces<'_>,
    ) -> Result<(), Drop> {
        let payload = Payload::Chain {
            from: pieces,
            skip: FRAME_HEADER,
            count: pieces.len() - FRAME_HEADER,
        };
        match self.switch.frame(from, header, class, payload.len()) {
            Verdict::Drop(drop) => Err(drop),
            Verdict::Forward(node, stamp) => self.forward(from, node, class, stamp, header, pieces),
            Verdict::Tell => self.told(from, header, pieces),
            Verdict::Deliver(to) => {
                let tell = |switch: &mut Switch| switch.no_room(from, to, class);
                self.deliver_or_tell(to, class, header, &payload, tell)
            }
        }
    }

    /// Takes a frame that is for the node. The switch has checked its length.
    fn told(&mut self, from: PortId, header: &Frame, pieces: &Pieces<'_>) -> Result<(), Drop> {
        let mut frame = [0; MSG_FRAME_MAX];
        let frame = frame.get_mut(..pieces.len()).ok_or(Drop::Length)?;
        pieces.read(frame).map_err(|_| Drop::Chain)?;
        let payload = frame.get(FRAME_HEADER..).unwrap_or_default();
        self.switch.told(from, header, payload)
    }

    /// Handles control requests, up to a fair share.
    pub(super) fn control(&mut self, id: PortId) -> Result<(), RingError> {
        let Some(memory) = self.device(id).map(|device| device.memory.clone()) else {
            return Ok(());
        };
        let mem = memory.guest();
        let mut left = FAIR_SHARE_CONTROL;
        loop {
            if left == 0 {
                self.later(id, QUEUE_CONTROL);
                break;
            }
            left -= 1;
            let Some((ring, _, _)) = self.ring(id, QUEUE_CONTROL) else {
                return Ok(());
            };
            ring.want_no_kicks(mem)?;
            let Some(chain) = ring.pop(mem)? else {
                if ring.want_kicks(mem)? {
                    continue;
                }
                break;
            };
            let head = chain.head_index();
            let (mut readable, mut writable) = (Pieces::new(), Pieces::new());
            let walked = both_ways(mem, chain, &mut readable, &mut writable);
            if !self.drain_before_control(id)? {
                if let Some((ring, _, _)) = self.ring(id, QUEUE_CONTROL) {
                    ring.unpop();
                }
                break;
            }
            let written = self.execute(id, walked, &readable, &writable);
            let Some((ring, _, _)) = self.ring(id, QUEUE_CONTROL) else {
                return Ok(());
            };
            ring.push(mem, head, written)?;
            self.settle_actions();
        }
        match self.device_mut(id) {
            Some(device) => device.call_if_wanted(QUEUE_CONTROL),
            None => Ok(()),
        }
    }

    /// Messages that were put into the ring before a control request belong before it; `false` if
    /// the port's rate does not allow them yet. Bulk frames name no endpoint as their source, so
    /// that no control request changes what becomes of them.
    fn drain_before_control(&mut self, id: PortId) -> Result<bool, RingError> {
        let Some((ring, mem, _)) = self.ring(id, QUEUE_MSG_TX) else {
            return Ok(true);
        };
        let waiting = usize::from(ring.available(mem)?);
        if waiting == 0 {
            return Ok(true);
        }
        match self.drain_some(id, QUEUE_MSG_TX, Class::Message, waiting)? {
            Left::Nothing => {}
            Left::More => self.later(id, QUEUE_MSG_TX),
            Left::Throttled => return Ok(false),
        }
        Ok(true)
    }

    /// Carries out one control request; gives the number of bytes written.
    fn execute(
        &mut self,
        id: PortId,
        walked: Result<(), BadChain>,
        readable: &Pieces<'_>,
        writable: &Pieces<'_>,
    ) -> usize {
        let mut request = ControlRequest::new_zeroed();
        let length = size_of::<ControlRequest>();
        let read = walked.and_then(|()| readable.read(request.as_mut_bytes()));
        let status = match read {
            Ok(()) if readable.len() == length => self.switch.control(id, &request),
            _ => ControlStatus::Malformed,
        };
        if let Some(device) = self.device_mut(id) {
            device.counting.control_requests += 1;
            if status != ControlStatus::Accepted {
                device.counting.control_refused += 1;
            }
        }
        if walked.is_err() {
            return 0;
        }
        let response = ControlResponse {
            status: (status as u32).into(),
            nonce: request.nonce,
            ..ControlResponse::new_zeroed()
        };
        let written = writable.write(response.as_bytes(), &Payload::Bytes(&[]));
        written.map_or(0, |()| size_of::<ControlResponse>())
    }
}
