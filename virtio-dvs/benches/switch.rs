//! What a frame costs on its way from port to port, through real rings in memory.
//!
//! `cargo bench -p virtio-dvs`. Each measure is of one frame: the sender's driver puts it into its
//! ring, the node takes it, checks it, copies it into the receiver's ring, and the receiver's
//! driver takes it out and gives the buffer back. The eventfd of the receiver is signalled once for
//! each batch, as for a guest.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::sync::mpsc;
use virtio_dvs::device::fabric::Fabric;
use virtio_dvs::directory::local::Local;
use virtio_dvs::frame::{Class, FRAME_HEADER, Frame, kind};
use virtio_dvs::spec::{QUEUE_BULK_RX, QUEUE_BULK_TX, QUEUE_MSG_RX, QUEUE_MSG_TX};
use virtio_dvs::switch::{PortId, Switch, Verdict};
use virtio_dvs::testing::Guest;
use virtio_dvs::vm::VmAttributes;

struct Pair {
    fabric: Fabric,
    from: Guest,
    port: PortId,
    to: Guest,
}

fn guest(fabric: &mut Fabric, vm: u32) -> (Guest, PortId) {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |attached| sender.send(attached).unwrap());
    fabric.attach(VmAttributes::new(vm, 0), done);
    let port = receiver.recv().unwrap().unwrap();
    let mut guest = Guest::new(vm).unwrap();
    guest.post_receive().unwrap();
    guest.set_up(fabric, port, 1 << 32 | 1 << 30).unwrap();
    fabric.run_backlog();
    guest.messages().unwrap();
    (guest, port)
}

impl Pair {
    fn new() -> Pair {
        let mut fabric = Fabric::new(Box::new(Local::in_memory()), 4, 0).unwrap();
        let (from, port) = guest(&mut fabric, 1);
        let (to, _) = guest(&mut fabric, 2);
        Pair {
            fabric,
            from,
            port,
            to,
        }
    }

    /// An answer or a piece of data with that much payload.
    fn frame(&self, class: Class, payload: usize) -> Frame {
        let kind = match class {
            Class::Message => kind::RPL,
            Class::Bulk => kind::BULK_DATA,
        };
        Frame {
            len: u32::try_from(payload).unwrap().into(),
            ..self.from.frame_to(kind, 2, self.to.incarnation)
        }
    }

    /// Sends a batch and receives it.
    fn exchange(&mut self, class: Class, frame: &Frame, payload: &[u8], batch: usize) {
        let (tx, rx) = match class {
            Class::Message => (QUEUE_MSG_TX, QUEUE_MSG_RX),
            Class::Bulk => (QUEUE_BULK_TX, QUEUE_BULK_RX),
        };
        for _ in 0..batch {
            self.from.send(frame, payload).unwrap();
        }
        self.fabric.kicked(self.port, tx);
        while self.fabric.has_backlog() {
            self.fabric.run_backlog();
        }
        for _ in 0..batch {
            assert!(self.to.take_used(rx).unwrap().is_some());
            self.to.post_some(rx, 1).unwrap();
        }
    }
}

fn port_to_port(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("port to port");
    let cases = [
        (Class::Message, 48, 1),
        (Class::Message, 48, 64),
        (Class::Message, 432, 64),
        (Class::Bulk, 4096, 8),
        (Class::Bulk, Class::Bulk.payload_max(), 1),
        (Class::Bulk, Class::Bulk.payload_max(), 8),
    ];
    for (class, payload, batch) in cases {
        let mut pair = Pair::new();
        let frame = pair.frame(class, payload);
        let bytes = vec![7; payload];
        let name = format!("{payload} bytes, batches of {batch}");
        group.throughput(Throughput::Bytes(((FRAME_HEADER + payload) * batch) as u64));
        group.bench_function(BenchmarkId::new(format!("{class:?}"), name), |bencher| {
            bencher.iter(|| pair.exchange(class, &frame, &bytes, batch));
        });
    }
    group.finish();
}

/// The decision alone, without rings.
fn decision(criterion: &mut Criterion) {
    let pair = Pair::new();
    let frame = pair.frame(Class::Message, 0);
    let mut switch = Switch::new(64);
    let mut directory = Local::in_memory();
    let mut ports = Vec::new();
    for vm in 1..=64 {
        switch.attach(VmAttributes::new(vm, 0)).unwrap();
        settle(&mut switch, &mut directory);
        let port = switch.port_of(vm).unwrap();
        switch.connected(port);
        switch.started(port);
        settle(&mut switch, &mut directory);
        ports.push(port);
    }
    let frame = Frame {
        src_inc: switch.incarnation(ports[0]).unwrap().into(),
        dst_inc: switch.incarnation(ports[1]).unwrap().into(),
        ..frame
    };
    criterion.bench_function("decision of 64 ports", |bencher| {
        bencher.iter(|| {
            let verdict = switch.frame(ports[0], &frame, Class::Message, 0);
            assert_eq!(verdict, Verdict::Deliver(ports[1]));
        });
    });
}

fn settle(switch: &mut Switch, directory: &mut Local) {
    use virtio_dvs::directory::Directory;
    use virtio_dvs::switch::Action;
    loop {
        while let Some(action) = switch.next_action() {
            if let Action::Ask(id, request) = action {
                directory.submit(id, request);
            }
        }
        match directory.next_answer() {
            Some((id, answer)) => switch.answer(id, answer),
            None => return,
        }
    }
}

criterion_group!(benches, port_to_port, decision);
criterion_main!(benches);
