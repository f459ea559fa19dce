//! One core on the bench: the test itself is the node and every other VM.

use std::collections::BTreeMap;

use dvs_core::{ADMIN, Addr, CallId, ControlRequest, Core, Identity, Limits, Outcome};

/// Kinds of frame (`wire.h`).
#[allow(missing_docs, reason = "named as in wire.h")]
pub mod kind {
    pub const RETRY: u8 = 1;
    pub const GONE: u8 = 2;
    pub const BOUND: u8 = 3;
    pub const UNBOUND: u8 = 4;
    pub const FOUND: u8 = 5;
    pub const ASK: u8 = 6;
    pub const PRIVILEGED: u8 = 7;
    pub const RENEWED: u8 = 8;
    pub const OFFERED: u8 = 9;
    pub const ORDER: u8 = 10;
    pub const ACK: u8 = 16;
    pub const REFUSED: u8 = 17;
    pub const TELL: u8 = 18;
    pub const ORDERED: u8 = 19;
    pub const MSG: u8 = 32;
    pub const REQ: u8 = 33;
    pub const NTF: u8 = 34;
    pub const COPY_IN: u8 = 35;
    pub const COPY_OUT: u8 = 36;
    pub const WATCH: u8 = 40;
    pub const FETCH: u8 = 41;
    pub const ADOPT: u8 = 42;
    pub const CANCEL: u8 = 48;
    pub const DIED: u8 = 49;
    pub const NOP: u8 = 50;
    pub const BOUNCED: u8 = 52;
    pub const ADOPTED: u8 = 53;
    pub const ELSEWHERE: u8 = 55;
    pub const TAKEN: u8 = 56;
    pub const RPL: u8 = 57;
    pub const CANCELLED: u8 = 58;
    pub const FAILED: u8 = 59;
    pub const NOTHERE: u8 = 60;
    pub const REDIRECT: u8 = 61;
    pub const COPIED: u8 = 62;
    pub const HAND: u8 = 63;
    pub const BULK_DATA: u8 = 64;
    pub const BULK_NOP: u8 = 65;
}

/// The core's own VM and life.
pub const ME: u32 = 1;
pub const MY_LIFE: u32 = 100;

/// The life of another VM.
pub fn life(vm: u32) -> u32 {
    vm + 100
}

/// A frame, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub src_vm: u32,
    pub src_inc: u32,
    pub dst_vm: u32,
    pub dst_inc: u32,
    pub seq: u32,
    pub ack: u32,
    pub credit: u32,
    pub bulk_ack: u32,
    pub bulk_credit: u32,
    pub src: Addr,
    pub dst: Addr,
    pub result: i32,
    pub op: u64,
    pub arg: u64,
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of this kind to the core.
    pub fn new(kind: u8) -> Frame {
        Frame {
            kind,
            dst_vm: ME,
            dst_inc: MY_LIFE,
            ..Frame::default()
        }
    }

    pub fn from(mut self, src: Addr) -> Frame {
        self.src = src;
        self
    }

    pub fn to(mut self, dst: Addr) -> Frame {
        self.dst = dst;
        self
    }

    pub fn op(mut self, op: u64) -> Frame {
        self.op = op;
        self
    }

    pub fn result(mut self, result: i32) -> Frame {
        self.result = result;
        self
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind, self.flags, 0, 0];
        let len = u32::try_from(self.payload.len()).unwrap();
        for word in [
            len,
            self.src_vm,
            self.src_inc,
            self.dst_vm,
            self.dst_inc,
            self.seq,
            self.ack,
            self.credit,
            self.bulk_ack,
            self.bulk_credit,
            self.src.nr.cast_unsigned(),
            self.src.gen_,
            self.dst.nr.cast_unsigned(),
            self.dst.gen_,
            self.result.cast_unsigned(),
        ] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.op.to_le_bytes());
        bytes.extend(self.arg.to_le_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Frame {
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let addr = |at: usize| Addr {
            nr: word(at).cast_signed(),
            gen_: word(at + 4),
        };
        assert_eq!(word(4) as usize, bytes.len() - 80, "length of a frame");
        Frame {
            kind: bytes[0],
            flags: bytes[1],
            src_vm: word(8),
            src_inc: word(12),
            dst_vm: word(16),
            dst_inc: word(20),
            seq: word(24),
            ack: word(28),
            credit: word(32),
            bulk_ack: word(36),
            bulk_credit: word(40),
            src: addr(44),
            dst: addr(52),
            result: word(60).cast_signed(),
            op: long(64),
            arg: long(72),
            payload: bytes[80..].to_vec(),
        }
    }
}

/// What another VM knows of its channel to the core.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Number of its next frame.
    pub seq: u32,
    /// Number that it expects next.
    pub expect: u32,
    /// Requests that it lets the core send in all.
    pub credit: u32,
}

pub struct Bench {
    pub core: Core,
    pub now: u64,
    pub peers: BTreeMap<u32, Peer>,
    next_generation: u32,
    outcomes: BTreeMap<CallId, Outcome>,
}

impl Bench {
    pub fn new(limits: Limits) -> Bench {
        Bench::with_ring(limits, 256)
    }

    pub fn with_ring(limits: Limits, ring: usize) -> Bench {
        let identity = Identity {
            vm: ME,
            incarnation: MY_LIFE,
            nr_tasks: 34,
            nr_procs: 221,
            nr_sysprocs: 64,
            flags: ADMIN,
        };
        Bench {
            core: Core::new(identity, limits, ring).expect("limits in range"),
            now: 1_000_000_000,
            peers: BTreeMap::new(),
            next_generation: 0,
            outcomes: BTreeMap::new(),
        }
    }

    /// The node says something.
    pub fn node(&mut self, frame: &Frame) {
        self.core.frame(&frame.encode(), self.now);
        self.core.batch_end(self.now);
    }

    pub fn peer(&mut self, vm: u32) -> &mut Peer {
        self.peers.entry(vm).or_insert(Peer {
            seq: 1,
            expect: 1,
            credit: 64,
        })
    }

    /// Another VM says something; a numbered frame gets the number that is expected.
    pub fn say(&mut self, vm: u32, mut frame: Frame) {
        let peer = self.peer(vm);
        if frame.kind > 31 {
            frame.seq = peer.seq;
            peer.seq = peer.seq.wrapping_add(1);
        }
        frame.ack = peer.expect;
        frame.credit = peer.credit;
        frame.src_vm = vm;
        frame.src_inc = life(vm);
        self.core.frame(&frame.encode(), self.now);
        self.core.batch_end(self.now);
    }

    /// Frames that the core has put on its transmit ring; their receivers have them.
    pub fn sent(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(bytes) = self.core.take_frame(self.now) {
            let frame = Frame::decode(&bytes);
            let peer = self.peer(frame.dst_vm);
            if frame.kind > 31 && frame.seq == peer.expect {
                peer.expect = peer.expect.wrapping_add(1);
            }
            frames.push(frame);
        }
        frames
    }

    /// As [`Bench::sent`], without acknowledgements.
    pub fn said(&mut self) -> Vec<Frame> {
        let mut frames = self.sent();
        frames.retain(|f| f.kind != kind::ACK);
        frames
    }

    /// Acknowledges all that this VM has got.
    pub fn acknowledge(&mut self, vm: u32) {
        self.say(vm, Frame::new(kind::ACK));
    }

    pub fn asked(&mut self) -> Vec<ControlRequest> {
        std::iter::from_fn(|| self.core.take_control()).collect()
    }

    pub fn bind(&mut self, nr: i32) -> Outcome {
        let id = self.core.bind(nr, self.now);
        self.answer_binds();
        self.outcome(id)
    }

    /// The node carries out every bind and unbind that was asked for.
    pub fn answer_binds(&mut self) {
        loop {
            let asked = self.asked();
            if asked.is_empty() {
                return;
            }
            for r in asked {
                assert!(r.op == 1 || r.op == 2, "{r:?}");
                let kind = if r.op == 1 {
                    kind::BOUND
                } else {
                    kind::UNBOUND
                };
                self.next_generation += u32::from(r.op == 1);
                let dst = Addr {
                    nr: r.ep,
                    gen_: if r.op == 1 {
                        self.next_generation
                    } else {
                        r.gen_
                    },
                };
                self.node(&Frame::new(kind).op(r.nonce).to(dst));
            }
        }
    }

    /// The node's answer to the only question asked: this endpoint is at this VM.
    pub fn found(&mut self, at: Addr, vm: u32) {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!((asked[0].op, asked[0].ep), (3, at.nr));
        let mut frame = Frame::new(kind::FOUND).op(asked[0].nonce).to(at);
        frame.arg = u64::from(vm) | u64::from(life(vm)) << 32;
        self.node(&frame);
    }

    /// The node's answer to the only question asked: there is no such endpoint.
    pub fn not_found(&mut self, nr: i32) {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let frame = Frame::new(kind::FOUND).op(asked[0].nonce);
        self.node(&frame.to(Addr::number(nr)).result(-109));
    }

    pub fn outcome(&mut self, id: CallId) -> Outcome {
        while let Some((id, outcome)) = self.core.finished() {
            self.outcomes.insert(id, outcome);
        }
        self.outcomes
            .remove(&id)
            .unwrap_or_else(|| panic!("call {id:?} has not ended"))
    }

    pub fn result(&mut self, id: CallId) -> i32 {
        self.outcome(id).result
    }

    /// Time passes, with the core's timers.
    pub fn pass(&mut self, ns: u64) {
        let end = self.now + ns;
        while self.core.timer_at() <= end {
            self.now = self.now.max(self.core.timer_at());
            self.core.timer(self.now);
        }
        self.now = end;
    }
}
