use super::*;
use crate::directory::{
    Answer, Interest, Lease, Lives, Location, News, NodeId, Request, RequestId, Seen,
};
use crate::link::{LinkConfig, Readiness, Watch as LinkWatch};
use crate::spec::{QUEUE_BULK_RX, QUEUE_BULK_TX};
use crate::testing::Guest;
use crate::vm::{DcAttributes, VmAttributes};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, mpsc};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent};

/// How long a test waits for something to come over a link.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all directories of a test know: where each VM lives.
type Known = Arc<Mutex<BTreeMap<u32, Location>>>;

/// A directory that answers at once.
#[derive(Debug)]
struct Shared {
    me: NodeId,
    known: Known,
    answers: VecDeque<(RequestId, Answer)>,
    news: VecDeque<News>,
}

impl Shared {
    fn begin(&self, vm: u32) -> Location {
        let mut known = self.known.lock().unwrap();
        let before = known.get(&vm).map_or(0, |it| it.incarnation);
        let location = Location {
            incarnation: before + 1,
            node: self.me,
            epoch: before + 5,
            dcid: 0,
        };
        known.insert(vm, location);
        location
    }
}

impl Directory for Shared {
    fn records(&self) -> Vec<Seen> {
        Vec::new()
    }

    fn submit(&mut self, id: RequestId, request: Request) {
        let answer = match request {
            Request::Join(_) => Answer::Joined(Ok(DcAttributes::default())),
            Request::Begin { vm } => Answer::Begun(Ok(self.begin(vm))),
            Request::Locate { vm } => {
                let current = self.known.lock().unwrap().get(&vm).copied();
                let last = current.map_or(0, |it| it.incarnation);
                Answer::Located(Lives { last, current })
            }
            _ => Answer::Done(Ok(())),
        };
        self.answers.push_back((id, answer));
    }

    fn next_answer(&mut self) -> Option<(RequestId, Answer)> {
        self.answers.pop_front()
    }

    fn unwatch(&mut self, _interest: Interest) {}

    fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }
}

/// A node with one guest.
struct Node {
    fabric: Fabric,
    guest: Guest,
    port: PortId,
}

impl Node {
    fn kick(&mut self, queue: usize) {
        self.fabric.kicked(self.port, queue);
        while self.fabric.has_backlog() {
            self.fabric.run_backlog();
        }
    }

    fn catch_up(&mut self) {
        if self.due_in() == Some(Duration::ZERO) {
            self.fabric.link_tick();
        }
        while self.fabric.has_backlog() {
            self.fabric.run_backlog();
        }
    }

    fn due_in(&self) -> Option<Duration> {
        let deadline = self.fabric.link_deadline()?;
        Some(deadline.saturating_sub(self.fabric.now()))
    }
}

struct World {
    nodes: [Node; 2],
    epoll: Epoll,
}

impl World {
    /// VM 1 at node 1, VM 2 at node 2.
    fn new() -> World {
        let known = Known::default();
        let mut addresses = Vec::new();
        let mut links = Vec::new();
        for id in [1, 2] {
            let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let config = LinkConfig::plaintext(NodeId(id), "test", listen);
            let random = Box::new(Xoshiro256PlusPlus::seed_from_u64(id.into()));
            let it = Links::open(config, random, Duration::ZERO).unwrap();
            addresses.push(it.local_address().to_string());
            links.push(it);
        }
        let mut nodes = links.into_iter().enumerate().map(|(index, links)| {
            let id = u32::try_from(index).unwrap() + 1;
            let other = News::Node {
                node: NodeId(3 - id),
                address: addresses[1 - index].clone(),
            };
            let directory = Shared {
                me: NodeId(id),
                known: known.clone(),
                answers: VecDeque::new(),
                news: VecDeque::from([News::Lease(Lease::Held), other]),
            };
            let now = Instant::now();
            let mut fabric = Fabric::in_cluster(Box::new(directory), 4, id, links, now).unwrap();
            let (sender, receiver) = mpsc::channel();
            let done = Box::new(move |done| drop(sender.send(done)));
            fabric.attach(VmAttributes::new(id, 0), done);
            let port = receiver.recv().unwrap().unwrap();
            let mut guest = Guest::new(id).unwrap();
            guest.post_receive().unwrap();
            guest.set_up(&mut fabric, port, 1 << 32 | 1 << 30).unwrap();
            guest.messages().unwrap();
            Node {
                fabric,
                guest,
                port,
            }
        });
        let nodes = [nodes.next().unwrap(), nodes.next().unwrap()];
        World {
            nodes,
            epoll: Epoll::new().unwrap(),
        }
    }

    /// Lets both nodes work until something has come.
    fn until<T>(&mut self, mut came: impl FnMut(&mut World) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            for node in &mut self.nodes {
                node.catch_up();
            }
            self.take_watches();
            if let Some(it) = came(self) {
                return it;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing comes");
            let due = self.nodes.iter().filter_map(Node::due_in);
            let limit = due.chain([left]).min().unwrap_or(left).as_millis();
            let mut events = [EpollEvent::default(); 8];
            let limit = i32::try_from(limit).unwrap() + 1;
            let count = self.epoll.wait(limit, &mut events).unwrap();
            for event in &events[..count] {
                let (node, token) = (event.data() >> 32, event.data() & 0xffff_ffff);
                let node = &mut self.nodes[usize::try_from(node).unwrap()];
                let set = event.event_set();
                let token = u32::try_from(token).unwrap();
                let fabric = &mut node.fabric;
                fabric.link_ready(token, set.into());
            }
        }
    }

    fn take_watches(&mut self) {
        let set = Readiness::wanted();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            for watch in node.fabric.take_link_watches() {
                let (operation, socket, token) = match watch {
                    LinkWatch::Add { socket, token } => (ControlOperation::Add, socket, token),
                    LinkWatch::Remove(socket) => (ControlOperation::Delete, socket, 0),
                };
                let event = EpollEvent::new(set, (index as u64) << 32 | u64::from(token));
                let socket = socket.as_raw_fd();
                self.epoll.ctl(operation, socket, event).unwrap();
            }
        }
    }

    fn frame(&self, kind: u8, from: u32) -> Frame {
        let life = |vm: u32| self.nodes[vm as usize - 1].guest.incarnation;
        Frame {
            kind,
            src_vm: from.into(),
            src_inc: life(from).into(),
            dst_vm: (3 - from).into(),
            dst_inc: life(3 - from).into(),
            ..Frame::default()
        }
    }

    /// Sends a frame again whenever RETRY says so, until it has come.
    fn deliver(&mut self, from: u32, header: &Frame, payload: &[u8]) -> (Frame, Vec<u8>) {
        let (sender, receiver) = (from as usize - 1, 2 - from as usize);
        let bulk = header.kind >= kind::BULK_DATA;
        let (tx, rx) = if bulk {
            (QUEUE_BULK_TX, QUEUE_BULK_RX)
        } else {
            (QUEUE_MSG_TX, crate::spec::QUEUE_MSG_RX)
        };
        let mut send = true;
        self.until(|world| {
            if std::mem::take(&mut send) {
                world.nodes[sender].guest.send(header, payload).unwrap();
                world.nodes[sender].kick(tx);
            }
            let said = world.nodes[sender].guest.messages().unwrap();
            send = said.iter().any(|it| it.kind == kind::RETRY);
            if send {
                world.nodes[sender].guest.send(header, payload).unwrap();
                world.nodes[sender].kick(tx);
                send = false;
            }
            world.nodes[receiver].guest.receive(rx).unwrap()
        })
    }
}

#[test]
fn frames_find_their_way_to_another_node_and_back() {
    let mut world = World::new();
    let mut there = world.frame(kind::RPL, 1);
    there.len = 5.into();
    let (header, payload) = world.deliver(1, &there, b"there");
    assert_eq!((header, payload.as_slice()), (there, b"there".as_slice()));
    let back = world.frame(kind::RPL, 2);
    let (header, payload) = world.deliver(2, &back, &[]);
    assert_eq!((header, payload.as_slice()), (back, [].as_slice()));
    assert!(world.nodes[0].fabric.refused_arrivals().is_empty());
}

#[test]
fn bulk_frames_of_full_length_go_too() {
    let mut world = World::new();
    let mut data = world.frame(kind::BULK_DATA, 1);
    let content: Vec<u8> = (0..65_536u32).map(|it| it.to_le_bytes()[1]).collect();
    data.len = 65_536.into();
    let (header, payload) = world.deliver(1, &data, &content);
    assert_eq!(header, data);
    assert_eq!(payload, content);
}

#[test]
fn who_is_gone_is_told_over_the_link() {
    let mut world = World::new();
    let frame = world.frame(kind::RPL, 1);
    world.deliver(1, &frame, &[]);
    let back = world.frame(kind::RPL, 2);
    world.deliver(2, &back, &[]);
    let port = world.nodes[1].port;
    world.nodes[1].fabric.detach(port);
    let gone = world.until(|world| {
        let said = world.nodes[0].guest.messages().unwrap();
        said.into_iter().find(|it| it.kind == kind::GONE)
    });
    assert_eq!(gone.arg.get() & 0xffff_ffff, 2);
}

#[test]
fn a_receiver_without_room_lets_the_sender_wait() {
    let mut world = World::new();
    let frame = world.frame(kind::RPL, 1);
    world.deliver(1, &frame, &[]);
    let room = 256;
    // More than the receiver has buffers for.
    for _ in 0..room / 2 {
        world.nodes[0].guest.send(&frame, &[]).unwrap();
    }
    world.nodes[0].kick(QUEUE_MSG_TX);
    let mut kept = 0;
    world.until(|world| {
        while world.nodes[1]
            .guest
            .receive_and_keep(crate::spec::QUEUE_MSG_RX)
            .unwrap()
            .is_some()
        {
            kept += 1;
        }
        (kept == room / 2).then_some(())
    });
    for _ in 0..room {
        world.nodes[0].guest.send(&frame, &[]).unwrap();
        world.nodes[0].kick(QUEUE_MSG_TX);
    }
    world.until(|world| {
        let refused = world.nodes[1].fabric.refused_arrivals();
        refused.get("no_room").copied().filter(|it| *it > 0)
    });
    world.nodes[1]
        .guest
        .post_some(crate::spec::QUEUE_MSG_RX, 16)
        .unwrap();
    world.nodes[1].kick(crate::spec::QUEUE_MSG_RX);
    let retry = world.until(|world| {
        let said = world.nodes[0].guest.messages().unwrap();
        said.into_iter()
            .find(|it| it.kind == kind::RETRY && it.arg.get() == 2)
    });
    assert_eq!(retry.dst_vm.get(), 1);
}
