use super::*;
use crate::directory::local::Local;
use crate::frame::{result, vm_and_incarnation};
use crate::spec::{QUEUE_BULK_RX, QUEUE_MSG_RX};
use crate::testing::{Guest, bind, lookup, unbind};
use crate::vm::VmAttributes;
use std::sync::mpsc;

const A: u32 = 1;
const B: u32 = 2;

pub(super) struct World {
    fabric: Fabric,
    guests: Vec<(Guest, PortId, SessionId)>,
}

fn attach(fabric: &mut Fabric, attributes: VmAttributes) -> Result<PortId, AttachError> {
    let (sender, receiver) = mpsc::channel();
    fabric.attach(attributes, Box::new(move |done| sender.send(done).unwrap()));
    receiver.recv().unwrap()
}

impl World {
    fn new(vms: &[u32]) -> World {
        let attributes = vms.iter().map(|&vm| VmAttributes::new(vm, 0));
        World::with(attributes.collect(), 1 << 32)
    }

    fn with(vms: Vec<VmAttributes>, features: u64) -> World {
        let mut fabric = Fabric::new(Box::new(Local::in_memory()), 16, 3).unwrap();
        let mut guests = Vec::new();
        for attributes in vms {
            let mut guest = Guest::new(attributes.vm).unwrap();
            let id = attach(&mut fabric, attributes).unwrap();
            guest.post_receive().unwrap();
            let session = guest.set_up(&mut fabric, id, features | 1 << 30).unwrap();
            fabric.run_backlog();
            // The greeting: RETRY(all).
            let greeting = guest.messages().unwrap();
            assert_eq!(greeting.len(), 1);
            assert_eq!(greeting[0].kind, kind::RETRY);
            guests.push((guest, id, session));
        }
        World { fabric, guests }
    }

    fn guest(&mut self, index: usize) -> &mut Guest {
        &mut self.guests[index].0
    }

    fn kick(&mut self, index: usize, queue: usize) {
        let id = self.guests[index].1;
        self.fabric.kicked(id, queue);
        while self.fabric.has_backlog() {
            self.fabric.run_backlog();
        }
    }

    fn control(&mut self, index: usize, request: &ControlRequest) -> Option<u32> {
        self.guest(index).request(request).unwrap();
        self.kick(index, QUEUE_CONTROL);
        self.guest(index).response().unwrap().unwrap().0
    }

    fn bind(&mut self, index: usize, endpoint: i32) -> u32 {
        assert_eq!(self.control(index, &bind(endpoint, 7)), Some(0));
        let frames = self.guest(index).messages().unwrap();
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].kind, kind::BOUND);
        assert_eq!(frames[0].result.get(), result::OK);
        assert_eq!(frames[0].op.get(), 7);
        frames[0].dst_gen.get()
    }

    fn counters(&self, index: usize) -> PortCounters {
        self.fabric.counters(self.guests[index].1).unwrap()
    }

    /// A request from a bound endpoint of the first guest to the second.
    fn request(&mut self, endpoint: i32, generation: u32) -> Frame {
        let incarnation = self.guests[1].0.incarnation;
        let mut frame = self.guest(0).frame_to(kind::REQ, B, incarnation);
        frame.src_ep = endpoint.into();
        frame.src_gen = generation.into();
        frame
    }
}

#[test]
fn a_frame_goes_from_port_to_port() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    let mut frame = world.request(10, generation);
    frame.len = 5.into();
    world.guest(0).send(&frame, b"hello").unwrap();
    world.kick(0, QUEUE_MSG_TX);
    let (got, payload) = world.guest(1).receive(QUEUE_MSG_RX).unwrap().unwrap();
    assert_eq!(got, frame);
    assert_eq!(payload, b"hello");
    assert_eq!(world.guest(0).returned(QUEUE_MSG_TX).unwrap(), 1);
    let counters = world.counters(0);
    assert_eq!((counters.frames_in, counters.bytes_in), (1, 85));
    assert_eq!(counters.kicks["msg_tx"], 1);
    assert!(counters.drops.is_empty());
    assert_eq!(world.counters(1).bytes_out, 85 + 80);
}

#[test]
fn bulk_goes_on_its_own_queue() {
    let mut world = World::new(&[A, B]);
    let incarnation = world.guests[1].0.incarnation;
    let mut frame = world.guest(0).frame_to(kind::BULK_DATA, B, incarnation);
    let data: Vec<u8> = (0..Class::Bulk.payload_max())
        .map(|it| (it % 251).try_into().unwrap())
        .collect();
    frame.len = u32::try_from(data.len()).unwrap().into();
    world.guest(0).send(&frame, &data).unwrap();
    world.kick(0, QUEUE_BULK_TX);
    let (got, payload) = world.guest(1).receive(QUEUE_BULK_RX).unwrap().unwrap();
    assert_eq!(got, frame);
    assert!(payload == data);
}

#[test]
fn bind_lookup_unbind() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    // The same again.
    assert_eq!(world.bind(0, 10), generation);
    assert_eq!(world.control(1, &bind(10, 9)), Some(0));
    let frames = world.guest(1).messages().unwrap();
    assert_eq!(frames[0].result.get(), result::ESLOTUSED);
    assert_eq!(world.control(1, &lookup(10, 11)), Some(0));
    let found = world.guest(1).messages().unwrap()[0];
    assert_eq!((found.kind, found.result.get()), (kind::FOUND, result::OK));
    assert_eq!(found.dst_gen.get(), generation);
    let owner = vm_and_incarnation(A, world.guests[0].0.incarnation);
    assert_eq!(found.arg.get(), owner);
    assert_eq!(world.control(0, &unbind(10, generation, 12)), Some(0));
    let unbound = world.guest(0).messages().unwrap()[0];
    assert_eq!((unbound.kind, unbound.result.get()), (kind::UNBOUND, 0));
    assert_eq!(world.control(1, &lookup(10, 13)), Some(0));
    let found = world.guest(1).messages().unwrap()[0];
    assert_eq!(found.result.get(), result::EDSTDIED);
    assert!(world.bind(0, 10) > generation);
}

#[test]
fn a_full_receive_ring_costs_a_retry() {
    let mut world = World::new(&[A, B]);
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    let size = world.guest(1).rings[QUEUE_MSG_RX].size;
    for _ in 0..size + 3 {
        world.guest(0).send(&frame, &[]).unwrap();
        world.kick(0, QUEUE_MSG_TX);
    }
    assert_eq!(world.counters(0).drops["no_room"], 3);
    assert!(world.guest(0).messages().unwrap().is_empty());
    // A kick without room is nothing.
    world.kick(1, QUEUE_MSG_RX);
    assert!(world.guest(0).messages().unwrap().is_empty());
    let got = world.guest(1).messages().unwrap();
    assert_eq!(got.len(), usize::from(size));
    world.kick(1, QUEUE_MSG_RX);
    let retry = world.guest(0).messages().unwrap();
    assert_eq!(retry.len(), 1);
    assert_eq!((retry[0].kind, retry[0].arg.get()), (kind::RETRY, B.into()));
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert_eq!(world.guest(1).messages().unwrap().len(), 1);
}

#[test]
fn what_the_node_says_collapses_when_there_is_no_room() {
    let mut world = World::new(&[A, B]);
    let size = world.guest(0).rings[QUEUE_MSG_RX].size;
    // Results of lookups fill the ring, and then are lost.
    for nonce in 0..u64::from(size) + 5 {
        assert_eq!(world.control(0, &lookup(1, nonce)), Some(0));
    }
    assert_eq!(world.counters(0).node_frames_lost, 5);
    assert_eq!(world.guest(0).messages().unwrap().len(), usize::from(size));
    world.kick(0, QUEUE_MSG_RX);
    let said = world.guest(0).messages().unwrap();
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].kind, said[0].arg.get()), (kind::RETRY, 0));
}

#[test]
fn frames_before_a_control_request_belong_before_it() {
    let mut world = World::new(&[A, B]);
    let generation = world.bind(0, 10);
    let frame = world.request(10, generation);
    world.guest(0).send(&frame, &[]).unwrap();
    world.guest(0).request(&unbind(10, generation, 2)).unwrap();
    world.guest(0).send(&frame, &[]).unwrap();
    // Only the control queue is kicked.
    world.kick(0, QUEUE_CONTROL);
    assert_eq!(world.guest(1).messages().unwrap().len(), 2);
    world.guest(0).send(&frame, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert!(world.guest(1).messages().unwrap().is_empty());
    assert_eq!(world.counters(0).drops["unbound_source"], 1);
    let said = world.guest(0).messages().unwrap();
    let kinds: Vec<_> = said.iter().map(|it| (it.kind, it.arg.get())).collect();
    assert_eq!(kinds, [(kind::UNBOUND, 0), (kind::RETRY, 0)]);
}

fn calls(world: &World, index: usize, queue: &str) -> u64 {
    world.counters(index).calls[queue]
}

#[test]
fn one_call_for_each_batch() {
    let mut world = World::new(&[A, B]);
    let before = calls(&world, 1, "msg_rx");
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    for _ in 0..20 {
        world.guest(0).send(&frame, &[]).unwrap();
    }
    // This guest wants no interrupts of its transmit queue.
    let flags = world.guest(0).rings[QUEUE_MSG_TX].available;
    let silent = 1u16.to_le();
    vm_memory::Bytes::write_obj(&world.guest(0).mem, silent, vm_memory::GuestAddress(flags))
        .unwrap();
    let sent = calls(&world, 0, "msg_tx");
    world.kick(0, QUEUE_MSG_TX);
    assert_eq!(calls(&world, 1, "msg_rx"), before + 1);
    assert_eq!(calls(&world, 0, "msg_tx"), sent);
    assert_eq!(world.counters(0).kicks["msg_tx"], 1);
    assert_eq!(world.guest(1).messages().unwrap().len(), 20);
}

#[test]
fn event_indexes_hold_calls_back() {
    use vm_memory::{Bytes, GuestAddress};
    let attributes = [A, B].map(|vm| VmAttributes::new(vm, 0)).to_vec();
    let mut world = World::with(attributes, 1 << 32 | 1 << 29);
    let ring = world.guest(1).rings[QUEUE_MSG_RX];
    let used_event = GuestAddress(ring.available + 4 + 2 * u64::from(ring.size));
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    let send = |world: &mut World, wanted: u16| {
        let wanted = wanted.to_le();
        world.guest(1).mem.write_obj(wanted, used_event).unwrap();
        let before = calls(world, 1, "msg_rx");
        world.guest(0).send(&frame, &[]).unwrap();
        world.kick(0, QUEUE_MSG_TX);
        calls(world, 1, "msg_rx") - before
    };
    // The greeting was entry 0; these are 1, 2, 3.
    assert_eq!(send(&mut world, 100), 0);
    assert_eq!(send(&mut world, 2), 1);
    assert_eq!(send(&mut world, 2), 0);
}

#[test]
fn a_rate_holds_frames_and_control_requests_back() {
    let mut slow = VmAttributes::new(A, 0);
    slow.limits.rate = Some(1);
    let mut world = World::with(vec![slow, VmAttributes::new(B, 0)], 1 << 32);
    let incarnation = world.guests[1].0.incarnation;
    let frame = world.guest(0).frame_to(kind::RPL, B, incarnation);
    for _ in 0..20 {
        world.guest(0).send(&frame, &[]).unwrap();
    }
    world.guest(0).request(&lookup(1, 1)).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    world.kick(0, QUEUE_CONTROL);
    assert_eq!(world.guest(1).messages().unwrap().len(), 16);
    assert_eq!(world.guest(0).returned(QUEUE_MSG_TX).unwrap(), 16);
    assert_eq!(world.guest(0).returned(QUEUE_CONTROL).unwrap(), 0);
    let wait = world.fabric.resume_in().unwrap();
    assert!(wait <= Duration::from_secs(1));
    assert!(world.counters(0).drops.is_empty());
    // The other VM has no limit.
    let back = world.guests[0].0.incarnation;
    let frame = world.guest(1).frame_to(kind::RPL, A, back);
    for _ in 0..100 {
        world.guest(1).send(&frame, &[]).unwrap();
    }
    world.kick(1, QUEUE_MSG_TX);
    assert_eq!(world.guest(0).messages().unwrap().len(), 100);
}

#[path = "fabric_hostile_test.rs"]
mod hostile;

#[path = "fabric_vmm_test.rs"]
mod vmm;

#[path = "fabric_bulk_test.rs"]
mod bulk;

#[path = "fabric_survey_test.rs"]
mod survey;

#[path = "fabric_trace_test.rs"]
mod trace;

#[path = "fabric_migration_test.rs"]
mod migration;
