//! The directory of a cluster as its nodes hear of it: requests that wait, answers and news that
//! are on their way, and outages.
//!
//! What a node may rely on is modelled, and nothing more. Answers come in the order of the
//! requests, together with what is said of the node's own lease. Each watch keeps its order, and
//! none waits for another. Of a life whose node was said to be lost it is not said later that it
//! goes on, and of the next life of a lost node not before its loss is said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use virtio_dvs::directory::{
    Answer, Endpoint, Found, Interest, Lease, Lives, News, NodeId, Request, RequestId,
};

use super::agenda::Event;
use super::truth::{Change, Reply, Sight, Tenure, Truth};
use super::world::World;

/// What keeps its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stream {
    /// Answers, and what is said of the own lease.
    Answers,
    /// Which nodes there are.
    Nodes,
    /// What is watched.
    Watch(Interest),
}

/// Something on its way to a node.
#[derive(Debug, Clone)]
enum Told {
    Answer(RequestId, Reply),
    /// With a number that tells whether it still holds.
    Lease(Lease, u64),
    /// A node has its lease, or has lost it.
    Node(NodeId, Tenure, bool),
    /// Of the tenures up to that one these go on, and no others.
    Nodes(Vec<(NodeId, Tenure)>, Tenure),
    Vm(u32, Sight),
    Bound(Endpoint, Found, Tenure),
}

/// What a node has heard of another.
#[derive(Debug, Clone, Copy)]
struct Known {
    tenure: Tenure,
    present: bool,
}

/// What is between one node and the directory.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// The host was cut off so many times more than it was joined again.
    pub(super) cuts: u32,
    pub(super) in_touch: bool,
    pub(super) in_touch_since: u64,
    /// Count changes, so that events before them are known.
    pub(super) doubts: u64,
    pub(super) lapses: u64,
    /// The last boot of the host has not been told of.
    pub(super) rebooted: bool,
    requests: VecDeque<(RequestId, Request)>,
    streams: BTreeMap<Stream, VecDeque<Told>>,
    /// When the last of each comes.
    due: BTreeMap<Stream, u64>,
    requests_due: u64,
    interests: BTreeSet<Interest>,
    known: BTreeMap<NodeId, Known>,
}

impl Desk {
    /// The node process is gone, and what it knew and was to hear.
    pub(super) fn forget(&mut self) {
        self.requests.clear();
        self.streams.clear();
        self.due.clear();
        self.interests.clear();
        self.known.clear();
    }

    /// Whether a node's wish to have a VM is on its way.
    pub(super) fn wants(&self, vm: u32) -> bool {
        let wants =
            |it: &(RequestId, Request)| matches!(it.1, Request::Take { vm: it, .. } if it == vm);
        self.requests.iter().any(wants)
    }

    /// Whether somebody waits for an answer.
    pub(super) fn is_quiet(&self) -> bool {
        self.requests.is_empty() && self.streams.values().all(VecDeque::is_empty)
    }

    /// A node is there, or was, in this tenure. Gives what is new: it was lost, it is there.
    fn learn(&mut self, node: NodeId, tenure: Tenure, present: bool) -> (bool, bool) {
        let before = self.known.get(&node).copied();
        let known = before.unwrap_or(Known {
            tenure: 0,
            present: false,
        });
        if tenure < known.tenure || (tenure == known.tenure && (present || !known.present)) {
            return (false, false);
        }
        self.known.insert(node, Known { tenure, present });
        (known.present, present)
    }

    fn is_lost(&self, node: NodeId, tenure: Tenure) -> bool {
        let known = self.known.get(&node);
        known.is_some_and(|it| tenure < it.tenure || (tenure == it.tenure && !it.present))
    }
}

/// The directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) truth: Truth,
    /// It went down so many times more than it came up.
    pub(super) outages: u32,
    pub(super) desks: Vec<Desk>,
}

impl Directory {
    pub(super) fn new(nodes: usize) -> Directory {
        Directory {
            desks: (0..nodes).map(|_| Desk::default()).collect(),
            ..Directory::default()
        }
    }
}

impl World {
    pub(super) fn desk(&mut self, host: usize) -> &mut Desk {
        &mut self.directory.desks[host]
    }

    pub(super) fn ask(&mut self, host: usize, id: RequestId, request: Request) {
        self.trace(|| format!("node {} asks {request:?}", host + 1));
        let desk = self.desk(host);
        desk.requests.push_back((id, request));
        if desk.in_touch {
            self.request_later(host);
        }
    }

    fn request_later(&mut self, host: usize) {
        let at = self.now + self.dice.delay(self.plan.settings.directory_ns);
        let run = self.hosts[host].run;
        let desk = self.desk(host);
        desk.requests_due = desk.requests_due.max(at);
        let at = desk.requests_due;
        self.agenda.add(at, Event::Asked { host, run });
    }

    /// The next request of a node reaches the directory.
    pub(super) fn asked(&mut self, host: usize, run: u64) {
        if self.hosts[host].run != run || !self.directory.desks[host].in_touch {
            return;
        }
        let desk = self.desk(host);
        let Some((id, request)) = desk.requests.pop_front() else {
            return;
        };
        match request {
            Request::Locate { vm } => _ = desk.interests.insert(Interest::Vm(vm)),
            Request::Await { endpoint } => {
                desk.interests.insert(Interest::Endpoint(endpoint));
            }
            _ => {}
        }
        let me = self.hosts[host].node;
        let (reply, changes) = self.directory.truth.apply(me, &request);
        if let (Request::End(owner), Reply::Plain(Answer::Done(Ok(())))) = (&request, &reply) {
            self.given_up(*owner);
        }
        for change in changes {
            self.spread(change);
        }
        self.tell_later(host, Stream::Answers, Told::Answer(id, reply));
    }

    /// Whoever watches what has changed hears of it.
    fn spread(&mut self, change: Change) {
        for host in 0..self.hosts.len() {
            let interest = match change {
                Change::Vm(vm) => Interest::Vm(vm),
                Change::Bound(endpoint) => Interest::Endpoint(endpoint),
            };
            let desk = &self.directory.desks[host];
            if desk.in_touch && desk.interests.contains(&interest) {
                self.look(host, interest);
            }
        }
    }

    /// A watch tells what holds now.
    fn look(&mut self, host: usize, interest: Interest) {
        let truth = &self.directory.truth;
        let told = match interest {
            Interest::Vm(vm) => Some(Told::Vm(vm, truth.sight(vm))),
            Interest::Endpoint(endpoint) => truth
                .lookup(endpoint)
                .map(|(found, tenure)| Told::Bound(endpoint, found, tenure)),
        };
        if let Some(told) = told {
            self.tell_later(host, Stream::Watch(interest), told);
        }
    }

    fn tell_later(&mut self, host: usize, stream: Stream, told: Told) {
        self.desk(host)
            .streams
            .entry(stream)
            .or_default()
            .push_back(told);
        self.stream_later(host, stream);
    }

    fn stream_later(&mut self, host: usize, stream: Stream) {
        let at = self.now + self.dice.delay(self.plan.settings.directory_ns);
        let run = self.hosts[host].run;
        let due = self.desk(host).due.entry(stream).or_default();
        *due = at.max(*due);
        let at = *due;
        self.agenda.add(at, Event::Told { host, run, stream });
    }

    /// Something comes to a node.
    pub(super) fn told(&mut self, host: usize, run: u64, stream: Stream) {
        if self.hosts[host].run != run || !self.directory.desks[host].in_touch {
            return;
        }
        let queue = self.desk(host).streams.get_mut(&stream);
        if let Some(told) = queue.and_then(VecDeque::pop_front) {
            self.trace(|| format!("node {} hears {told:?}", host + 1));
            self.hear(host, told);
            self.settle(host);
        }
    }

    fn hear(&mut self, host: usize, told: Told) {
        match told {
            Told::Answer(id, reply) => {
                let answer = match reply {
                    Reply::Plain(answer) => answer,
                    Reply::Located(_, sight) => Answer::Located(self.lives(host, sight)),
                    Reply::Seen(_, seen) => {
                        let seen = seen.map(|(mut seen, tenure)| {
                            let life = seen.record.life;
                            let life = life.filter(|it| self.goes_on(host, it.node, tenure));
                            seen.record.life = life;
                            seen
                        });
                        Answer::Seen(Ok(seen))
                    }
                    Reply::Found(_, found) => {
                        let found = found.filter(|it| self.goes_on(host, it.0.location.node, it.1));
                        Answer::Found(found.map(|it| it.0))
                    }
                };
                self.hosts[host].switch.answer(id, answer);
            }
            Told::Lease(lease, number) => {
                let holds = lease == Lease::Lapsed || self.directory.desks[host].doubts == number;
                if holds {
                    self.news(host, News::Lease(lease));
                }
            }
            Told::Node(node, tenure, present) => self.learn(host, node, tenure, present),
            Told::Nodes(nodes, last) => self.nodes_are(host, &nodes, last),
            Told::Vm(vm, sight) => {
                let lives = self.lives(host, sight);
                self.news(host, News::Vm { vm, lives });
            }
            Told::Bound(endpoint, found, tenure) => {
                if self.goes_on(host, found.location.node, tenure) {
                    self.news(host, News::Bound { endpoint, found });
                }
            }
        }
    }

    pub(super) fn news(&mut self, host: usize, news: News) {
        self.hosts[host].switch.news(news);
    }

    fn learn(&mut self, host: usize, node: NodeId, tenure: Tenure, present: bool) {
        let (lost, there) = self.desk(host).learn(node, tenure, present);
        if self.hosts[host].node == node {
            return;
        }
        if lost {
            self.news(host, News::NodeLost(node));
        }
        if there {
            let address = String::new();
            self.news(host, News::Node { node, address });
        }
    }

    fn nodes_are(&mut self, host: usize, nodes: &[(NodeId, Tenure)], last: Tenure) {
        let known = self.directory.desks[host].known.iter();
        let known = known.filter(|it| it.1.tenure <= last);
        let gone = known.filter(|it| !nodes.iter().any(|node| node.0 == *it.0));
        let gone: Vec<_> = gone.map(|it| (*it.0, it.1.tenure)).collect();
        for (node, tenure) in gone {
            self.learn(host, node, tenure, false);
        }
        for &(node, tenure) in nodes {
            self.learn(host, node, tenure, true);
        }
    }

    /// Whether what began in this tenure of a node goes on, as far as this one has heard; that an
    /// earlier tenure of the node is over is said first.
    fn goes_on(&mut self, host: usize, node: NodeId, tenure: Tenure) -> bool {
        self.learn(host, node, tenure, true);
        !self.directory.desks[host].is_lost(node, tenure)
    }

    fn lives(&mut self, host: usize, sight: Sight) -> Lives {
        let goes_on = sight.life.filter(|it| self.goes_on(host, it.0.node, it.1));
        Lives {
            last: sight.last,
            current: goes_on.map(|it| it.0),
        }
    }

    pub(super) fn unwatch(&mut self, host: usize, interest: Interest) {
        self.desk(host).interests.remove(&interest);
    }

    /// What is said of a node's own lease.
    pub(super) fn tell_lease(&mut self, host: usize, lease: Lease) {
        let number = self.desk(host).doubts;
        self.tell_later(host, Stream::Answers, Told::Lease(lease, number));
    }

    /// All nodes but that one hear that it has its lease, or has lost it.
    pub(super) fn spread_node(&mut self, node: NodeId, tenure: Tenure, present: bool) {
        for host in 0..self.hosts.len() {
            if self.hosts[host].node != node && self.directory.desks[host].in_touch {
                self.tell_later(host, Stream::Nodes, Told::Node(node, tenure, present));
            }
        }
    }

    /// The node cannot reach the directory any more: what its watches had under way is lost.
    pub(super) fn watches_end(&mut self, host: usize) {
        let streams = &mut self.desk(host).streams;
        streams.retain(|stream, _| *stream == Stream::Answers);
    }

    /// The node reaches the directory again: requests go on, answers that were lost are got once
    /// more, and watches begin with what holds now.
    pub(super) fn watches_begin(&mut self, host: usize) {
        let me = self.hosts[host].node;
        let desk = self.desk(host);
        let requests = desk.requests.len();
        let mut answers = desk.streams.remove(&Stream::Answers).unwrap_or_default();
        for told in &mut answers {
            if let Told::Answer(_, reply) = told
                && self.dice.chance(50)
            {
                *reply = self.directory.truth.read_again(me, reply);
            }
        }
        for told in answers {
            self.tell_later(host, Stream::Answers, told);
        }
        for _ in 0..requests {
            self.request_later(host);
        }
        let (nodes, last) = self.directory.truth.nodes();
        self.tell_later(host, Stream::Nodes, Told::Nodes(nodes, last));
        for interest in self.directory.desks[host].interests.clone() {
            self.look(host, interest);
        }
    }
}
