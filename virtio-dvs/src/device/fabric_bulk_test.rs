//! Bulk frames: on their way from port to port, and never in the way of messages.

use super::*;
use crate::spec::QUEUE_BULK_TX;

const C: u32 = 3;

impl World {
    /// Puts bulk frames from one guest to another into the ring, without a kick.
    fn send_bulk(&mut self, from: usize, to: usize, frames: u16) {
        let (vm, incarnation) = (self.guests[to].0.vm, self.guests[to].0.incarnation);
        let mut frame = self.guest(from).frame_to(kind::BULK_DATA, vm, incarnation);
        frame.len = 3.into();
        for _ in 0..frames {
            self.guest(from).send(&frame, b"abc").unwrap();
        }
    }

    fn kick_only(&mut self, from: usize, queue: usize) {
        let id = self.guests[from].1;
        self.fabric.kicked(id, queue);
    }

    fn carried(&self, from: usize) -> u16 {
        self.guests[from].0.returned(QUEUE_BULK_TX).unwrap()
    }

    /// How many bulk frames have come.
    fn take_bulk(&mut self, at: usize) -> usize {
        let mut count = 0;
        while self.guest(at).receive(QUEUE_BULK_RX).unwrap().is_some() {
            count += 1;
        }
        count
    }
}

#[test]
fn a_full_bulk_ring_costs_a_retry_and_no_message() {
    let mut world = World::new(&[A, B]);
    let incarnation = world.guests[1].0.incarnation;
    let size = world.guest(1).rings[QUEUE_BULK_RX].size;
    world.send_bulk(0, 1, size);
    world.kick(0, QUEUE_BULK_TX);
    world.send_bulk(0, 1, 2);
    world.kick(0, QUEUE_BULK_TX);
    assert_eq!(world.counters(0).drops["no_room"], 2);
    assert_eq!(world.carried(0), size + 2, "buffers come back at once");
    // Messages have a ring of their own.
    let message = world.guest(0).frame_to(kind::RPL, B, incarnation);
    world.guest(0).send(&message, &[]).unwrap();
    world.kick(0, QUEUE_MSG_TX);
    assert_eq!(world.guest(1).messages().unwrap(), [message]);
    // Room for messages says nothing about bulk frames.
    world.kick(1, QUEUE_MSG_RX);
    assert!(world.guest(0).messages().unwrap().is_empty());
    assert_eq!(world.take_bulk(1), usize::from(size));
    world.kick(1, QUEUE_BULK_RX);
    let said = world.guest(0).messages().unwrap();
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].kind, said[0].arg.get()), (kind::RETRY, B.into()));
    world.send_bulk(0, 1, 2);
    world.kick(0, QUEUE_BULK_TX);
    assert_eq!(world.take_bulk(1), 2);
}

#[test]
fn messages_go_before_the_next_few_bulk_frames() {
    let mut world = World::new(&[A, B, C]);
    let incarnation = world.guests[1].0.incarnation;
    world.send_bulk(0, 1, 8);
    world.kick_only(0, QUEUE_BULK_TX);
    // Whatever else has come with the same events is first.
    assert_eq!(world.carried(0), 0);
    assert!(world.fabric.has_backlog());
    world.fabric.run_backlog();
    assert_eq!(world.carried(0), 4);
    for from in [0, 2] {
        let message = world.guest(from).frame_to(kind::RPL, B, incarnation);
        world.guest(from).send(&message, &[]).unwrap();
        world.kick_only(from, QUEUE_MSG_TX);
    }
    assert_eq!(world.guest(1).messages().unwrap().len(), 2);
    assert_eq!(world.carried(0), 4);
    world.fabric.run_backlog();
    assert_eq!(world.carried(0), 8);
    world.fabric.run_backlog();
    assert!(!world.fabric.has_backlog());
    assert_eq!(world.take_bulk(1), 8);
}

#[test]
fn senders_of_bulk_frames_take_turns() {
    let mut world = World::new(&[A, B, C]);
    world.send_bulk(0, 1, 8);
    world.send_bulk(2, 1, 8);
    for _ in 0..2 {
        world.kick_only(0, QUEUE_BULK_TX);
        world.kick_only(2, QUEUE_BULK_TX);
    }
    let mut seen = Vec::new();
    while world.fabric.has_backlog() {
        world.fabric.run_backlog();
        seen.push((world.carried(0), world.carried(2)));
    }
    assert_eq!(seen[..4], [(4, 0), (4, 4), (8, 4), (8, 8)]);
    assert_eq!(world.take_bulk(1), 8, "no more buffers");
    assert_eq!(world.counters(0).drops.get("no_room"), Some(&4));
    assert_eq!(world.counters(2).drops.get("no_room"), Some(&4));
}

#[test]
fn control_requests_do_not_wait_for_bulk_frames() {
    let mut world = World::new(&[A, B]);
    world.send_bulk(0, 1, 8);
    world.guest(0).request(&lookup(1, 1)).unwrap();
    world.kick_only(0, QUEUE_CONTROL);
    assert_eq!(world.guest(0).response().unwrap(), Some((Some(0), 1)));
    assert_eq!(world.carried(0), 0);
    // A node that starts finds them without a kick as well.
    world.kick(0, QUEUE_BULK_TX);
    assert_eq!(world.take_bulk(1), 8);
}
