//! Nodes in one process, over loopback, on one thread: time passes only when a test says so.

use super::*;
use crate::link::codec::Piece;
use crate::link::{LinkConfig, Readiness, SessionView, codec};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use zerocopy::FromZeros;

mod frames;
mod hostile;
mod secure;
mod sessions;

const CLUSTER: &str = "test";
/// Nothing takes so long, unless it never comes.
const NEVER: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

/// What a sink got, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Up(NodeId),
    Down(NodeId, String),
    Frame(NodeId, Class, Stamp, Frame, Vec<u8>),
    Notice(NodeId, Notice),
    Room(NodeId, Class),
}

#[derive(Debug, Default)]
struct Recorder(Vec<Seen>);

impl Sink for Recorder {
    fn up(&mut self, node: NodeId) {
        self.0.push(Seen::Up(node));
    }

    fn down(&mut self, node: NodeId, reason: &str) {
        self.0.push(Seen::Down(node, reason.to_owned()));
    }

    fn frame(&mut self, node: NodeId, class: Class, stamp: Stamp, header: &Frame, payload: &[u8]) {
        let seen = Seen::Frame(node, class, stamp, *header, payload.to_vec());
        self.0.push(seen);
    }

    fn notice(&mut self, node: NodeId, notice: Notice) {
        self.0.push(Seen::Notice(node, notice));
    }

    fn room(&mut self, node: NodeId, class: Class) {
        self.0.push(Seen::Room(node, class));
    }
}

/// A node: its links, and the event loop around them.
struct Node {
    links: Links,
    epoll: OwnedFd,
    recorder: Recorder,
    /// Its event loop does not run.
    asleep: bool,
}

impl Node {
    fn open(config: LinkConfig) -> Node {
        let random = Xoshiro256PlusPlus::seed_from_u64(config.me.0.into());
        Node {
            links: Links::open(config, Box::new(random), Duration::ZERO).unwrap(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).unwrap(),
            recorder: Recorder::default(),
            asleep: false,
        }
    }

    fn turn(&mut self, now: Duration) {
        if self.asleep {
            return;
        }
        self.watch();
        let mut events = Vec::with_capacity(64);
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let spare = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&self.epoll, spare, Some(&at_once)).unwrap();
        for event in events {
            let token = u32::try_from(event.data.u64()).unwrap();
            let flags = event.flags;
            let broken = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            let hung_up = flags.intersects(broken | epoll::EventFlags::RDHUP);
            let ready = Readiness {
                readable: hung_up || flags.contains(epoll::EventFlags::IN),
                writable: flags.contains(epoll::EventFlags::OUT),
                hung_up,
            };
            self.links.ready(token, ready, now, &mut self.recorder);
        }
        self.links.tick(now, &mut self.recorder);
        self.links.run_backlog(now, &mut self.recorder);
        self.watch();
    }

    fn watch(&mut self) {
        for watch in self.links.take_watches() {
            match watch {
                Watch::Add { socket, token } => {
                    let flags = epoll::EventFlags::IN
                        | epoll::EventFlags::OUT
                        | epoll::EventFlags::RDHUP
                        | epoll::EventFlags::ET;
                    let data = epoll::EventData::new_u64(token.into());
                    epoll::add(&self.epoll, &*socket, data, flags).unwrap();
                }
                Watch::Remove(socket) => epoll::delete(&self.epoll, &*socket).unwrap(),
            }
        }
    }

    fn address(&self) -> String {
        self.links.local_address().to_string()
    }

    fn me(&self) -> NodeId {
        self.links.config.me
    }

    /// Whether the last that was seen of a node is that it is there.
    fn is_up(&self, node: NodeId) -> bool {
        let last = self.recorder.0.iter().rev().find_map(|seen| match seen {
            Seen::Up(it) if *it == node => Some(true),
            Seen::Down(it, _) if *it == node => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }

    fn downs(&self) -> Vec<&str> {
        let downs = self.recorder.0.iter().filter_map(|seen| match seen {
            Seen::Down(_, reason) => Some(reason.as_str()),
            _ => None,
        });
        downs.collect()
    }

    fn frames(&self) -> Vec<(Class, u64, usize)> {
        let frames = self.recorder.0.iter().filter_map(|seen| match seen {
            Seen::Frame(_, class, _, header, payload) => {
                Some((*class, header.arg.get(), payload.len()))
            }
            _ => None,
        });
        frames.collect()
    }

    fn view(&self, node: NodeId) -> SessionView {
        self.links.sessions().find(|it| it.node == node).unwrap()
    }

    fn error(&self, node: NodeId) -> String {
        let view = self.links.sessions().find(|it| it.node == node);
        view.and_then(|it| it.last_error).unwrap_or_default()
    }

    /// The system ends a connection.
    fn break_connection(&mut self, node: NodeId, class: Class) {
        let slot = self.links.open_slot(node, class).unwrap();
        let socket = self.links.connections[slot].transport.socket();
        socket.shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// A frame that is told from others by `arg`.
    fn send(
        &mut self,
        to: NodeId,
        class: Class,
        arg: u64,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let header = frame(arg, payload.len());
        let stamp = Stamp {
            src_epoch: 7,
            dst_epoch: 9,
        };
        let copy = |into: &mut [u8]| {
            into.copy_from_slice(payload);
            true
        };
        self.links
            .send_frame(to, class, stamp, &header, payload.len(), copy)
    }
}

/// Bytes that cannot be compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Xoshiro256PlusPlus::seed_from_u64(1).fill_bytes(&mut bytes);
    bytes
}

fn frame(arg: u64, payload: usize) -> Frame {
    Frame {
        kind: 33,
        len: u32::try_from(payload).unwrap().into(),
        arg: arg.into(),
        ..Frame::new_zeroed()
    }
}

/// Somebody who speaks for himself.
struct Raw {
    stream: TcpStream,
    got: Vec<u8>,
    ended: bool,
}

impl Raw {
    fn new(stream: TcpStream) -> Raw {
        stream.set_nonblocking(true).unwrap();
        Raw {
            stream,
            got: Vec::new(),
            ended: false,
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    fn hear(&mut self) {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    self.got.extend_from_slice(&bytes[..count]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.ended = true,
            }
            return;
        }
    }

    /// Takes a record off what was heard.
    fn record(&mut self) -> Option<(u8, Vec<u8>)> {
        let Piece { kind, body, length } = codec::split(&self.got, 1 << 20).unwrap()?;
        let record = (kind, body.to_vec());
        self.got.drain(..length);
        Some(record)
    }
}

/// Some nodes and the time.
struct World {
    nodes: Vec<Node>,
    now: Duration,
    /// Descriptors of others, whose input is waited for too.
    others: Vec<TcpStream>,
}

fn plain(me: u32) -> LinkConfig {
    LinkConfig::plaintext(NodeId(me), CLUSTER, "127.0.0.1:0".parse().unwrap())
}

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

impl World {
    fn of(configs: impl IntoIterator<Item = LinkConfig>) -> World {
        World {
            nodes: configs.into_iter().map(Node::open).collect(),
            now: Duration::ZERO,
            others: Vec::new(),
        }
    }

    /// Nodes 1 and 2 in plaintext, of which 1 wants 2, with a session.
    fn pair() -> World {
        World::pair_of(plain(1), plain(2))
    }

    fn pair_of(one: LinkConfig, two: LinkConfig) -> World {
        let mut world = World::of([one, two]);
        world.want(0, 1);
        world.until_up(0, 1);
        world
    }

    fn want(&mut self, by: usize, whom: usize) {
        let (node, address) = (self.nodes[whom].me(), self.nodes[whom].address());
        self.nodes[by].links.want(node, &address, self.now);
    }

    fn raw(&mut self, stream: TcpStream) -> Raw {
        self.others.push(stream.try_clone().unwrap());
        Raw::new(stream)
    }

    fn raw_to(&mut self, node: usize) -> Raw {
        let stream = TcpStream::connect(self.nodes[node].links.local_address()).unwrap();
        self.raw(stream)
    }

    fn turn(&mut self) {
        for node in &mut self.nodes {
            node.turn(self.now);
        }
    }

    /// Goes on until something is so; waits for what signals.
    fn until(&mut self, mut so: impl FnMut(&mut World) -> bool) {
        loop {
            self.turn();
            if so(self) {
                return;
            }
            let awake = |node: &&Node| !node.asleep;
            let due = |node: &Node| {
                let deadline = node.links.next_deadline();
                node.links.has_backlog() || deadline.is_some_and(|at| at <= self.now)
            };
            if self.nodes.iter().filter(awake).any(due) {
                continue;
            }
            let epolls = self.nodes.iter().filter(awake).map(|node| &node.epoll);
            let mut waited: Vec<_> = epolls.map(|it| PollFd::new(it, PollFlags::IN)).collect();
            let others = self.others.iter();
            waited.extend(others.map(|it| PollFd::new(it, PollFlags::IN)));
            let ready = poll(&mut waited, Some(&NEVER)).unwrap();
            assert!(ready > 0, "it does not come: {:?}", self.seen());
        }
    }

    fn seen(&self) -> Vec<&Vec<Seen>> {
        self.nodes.iter().map(|node| &node.recorder.0).collect()
    }

    fn until_up(&mut self, one: usize, other: usize) {
        let (a, b) = (self.nodes[one].me(), self.nodes[other].me());
        self.until(|world| world.nodes[one].is_up(b) && world.nodes[other].is_up(a));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.turn();
    }
}
