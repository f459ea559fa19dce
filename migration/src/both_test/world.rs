//! Two VMMs, their nodes, a connection and a directory.

use super::fault::{At, Fault, Step};
use super::node::Node;
use crate::bitmap::PageBitmap;
use crate::compat::Host;
use crate::destination::{self, Destination};
use crate::layout::Layout;
use crate::message::{Cpu, Offer, Part, Piece, ToDestination, ToSource};
use crate::pages::Attempt;
use crate::place::{Place, Residence, Start};
use crate::source::{self, Source};
use crate::take::Answer;
use crate::testing::{self, one_slot};
use std::collections::VecDeque;
use std::time::Duration;

pub const SOURCE: u32 = 1;
pub const DESTINATION: u32 = 2;
pub const EPOCH: u32 = 5;
const ATTEMPT: Attempt = Attempt([9; 16]);

/// Something on a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item<M> {
    Message(M),
    Closed,
}

/// Something that the VMM or its node has been asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Job {
    Check,
    StartLog,
    Collect,
    Stream,
    Pause,
    DropFrames,
    Drain,
    Save,
    Resume,
    Prepare,
    Load,
    Run(Place),
}

/// A transaction that a node was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Request {
    pub by: At,
    pub from: Place,
    /// Whether whoever asked still waits for the answer.
    pub awaited: bool,
}

/// Who has the VM in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    Source,
    Destination,
    Lost,
}

impl Fate {
    /// As the documentation has it.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Source => "source",
            Fate::Destination => "destination",
            Fate::Lost => "lost with its VMM",
        }
    }
}

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Duration,
    pub faults: u8,
    pub cause: Option<(Step, Fault)>,
    pub source: Option<Source>,
    pub destination: Option<Destination>,
    pub record: Option<Place>,
    /// What the record says of a VM that was taken.
    pub start: Start,
    /// The destination's node.
    pub node: Node,
    pub connected: bool,
    pub to_destination: VecDeque<Item<ToDestination>>,
    pub to_source: VecDeque<Item<ToSource>>,
    /// Ends of rounds on the data stream.
    pub data: VecDeque<(u32, bool)>,
    pub source_jobs: VecDeque<Job>,
    pub destination_jobs: VecDeque<Job>,
    pub requests: Vec<Request>,
    pub answers: Vec<(At, Answer)>,
    /// The epoch in which the source runs the VM.
    pub source_epoch: u32,
    pub source_runs: bool,
    pub source_destroyed: bool,
    pub destination_runs: bool,
    /// It has run there.
    pub destination_ran: bool,
    pub source_over: bool,
    pub destination_over: bool,
}

fn layout() -> Layout {
    one_slot(2)
}

fn offer(place: Place) -> Offer {
    Offer {
        attempt: ATTEMPT,
        ..testing::offer(place, layout())
    }
}

fn host() -> Host {
    Host {
        node: DESTINATION,
        cluster: "c".into(),
        machine: 1,
        vcpus: 1,
        memory: 1 << 20,
        cpu: Cpu::default(),
        tsc_scaling: false,
        devices: vec![],
        compression: vec![],
        streams: 1,
        port: 7500,
    }
}

impl World {
    pub fn new(faults: u8) -> World {
        let now = Duration::ZERO;
        let record = Place {
            node: SOURCE,
            epoch: EPOCH,
            life: 1,
        };
        let (source, first) = Source::new(offer(record), source::Config::default(), now).unwrap();
        let mut world = World {
            now,
            faults,
            cause: None,
            source: Some(source),
            destination: Some(Destination::new(host(), destination::Waits::default(), now)),
            record: Some(record),
            start: Start::Made,
            node: Node::default(),
            connected: true,
            to_destination: VecDeque::new(),
            to_source: VecDeque::new(),
            data: VecDeque::new(),
            source_jobs: VecDeque::new(),
            destination_jobs: VecDeque::new(),
            requests: vec![],
            answers: vec![],
            source_epoch: EPOCH,
            source_runs: true,
            source_destroyed: false,
            destination_runs: false,
            destination_ran: false,
            source_over: false,
            destination_over: false,
        };
        world.do_source(first);
        world
    }

    /// Something happened to the source.
    pub fn source_event(&mut self, event: source::Event) {
        let Some(source) = &mut self.source else {
            return;
        };
        let actions = source.handle(self.now, event);
        self.do_source(actions);
    }

    /// Something happened to the destination.
    pub fn destination_event(&mut self, event: destination::Event) {
        let Some(destination) = &mut self.destination else {
            return;
        };
        let actions = destination.handle(self.now, event);
        self.do_destination(actions);
    }

    fn do_source(&mut self, actions: Vec<source::Action>) {
        use source::Action;
        for action in actions {
            let job = match action {
                Action::CheckNode => Job::Check,
                Action::StartLog => Job::StartLog,
                Action::Collect { .. } => Job::Collect,
                Action::SendPages => Job::Stream,
                Action::PauseVcpus => Job::Pause,
                Action::DropFrames => Job::DropFrames,
                Action::DrainRings => Job::Drain,
                Action::SaveState => Job::Save,
                Action::ResumeVcpus => Job::Resume,
                Action::Send(message) => {
                    self.tell_destination(Item::Message(message));
                    continue;
                }
                Action::Take { from } => {
                    self.request(At::Source, from);
                    continue;
                }
                Action::Destroy => {
                    assert!(!self.source_runs, "the source destroys what runs");
                    self.source_destroyed = true;
                    continue;
                }
                Action::Ended(_) => {
                    self.source_over = true;
                    self.tell_destination(Item::Closed);
                    continue;
                }
                Action::OpenStreams { .. }
                | Action::Throttle(_)
                | Action::AcceptFrames
                | Action::StartRings
                | Action::StopLog => continue,
            };
            self.source_jobs.push_back(job);
        }
    }

    fn do_destination(&mut self, actions: Vec<destination::Action>) {
        use destination::Action;
        for action in actions {
            match action {
                Action::Prepare(_) => self.destination_jobs.push_back(Job::Prepare),
                Action::Load(_) => self.destination_jobs.push_back(Job::Load),
                Action::Resume(place) => self.destination_jobs.push_back(Job::Run(place)),
                Action::TakeStreams(_) => {
                    let joined = self
                        .destination
                        .as_mut()
                        .map(|d| d.join(self.now, ATTEMPT, 0));
                    assert_eq!(joined, Some(Ok(())));
                }
                Action::Send(message) => self.tell_source(Item::Message(message)),
                Action::Take { from } => self.request(At::Destination, from),
                Action::Destroy => {
                    assert!(!self.destination_runs, "the destination destroys what runs");
                    self.node.forgets();
                }
                Action::Ended(_) => {
                    self.destination_over = true;
                    self.tell_source(Item::Closed);
                }
            }
        }
    }

    fn tell_destination(&mut self, item: Item<ToDestination>) {
        if self.connected && self.destination.is_some() {
            self.to_destination.push_back(item);
        }
    }

    fn tell_source(&mut self, item: Item<ToSource>) {
        if self.connected && self.source.is_some() {
            self.to_source.push_back(item);
        }
    }

    /// What the record says now.
    pub fn residence(&self) -> Option<Residence> {
        let start = self.start;
        self.record.map(|place| Residence { place, start })
    }

    fn request(&mut self, by: At, from: Place) {
        let request = Request {
            by,
            from,
            awaited: true,
        };
        self.requests.push(request);
    }

    /// The source's VMM or node does the next thing that it was asked for.
    pub fn source_job(&mut self, works: bool) {
        use source::Event;
        let job = self.source_jobs.pop_front();
        let result = if works { Ok(()) } else { Err("no".to_owned()) };
        let place = Place {
            node: SOURCE,
            epoch: EPOCH,
            life: 1,
        };
        let event = match job {
            Some(Job::Check) => Event::NodeChecked(result.map(|()| place)),
            Some(Job::StartLog) => Event::LogStarted(result.map(|()| PageBitmap::all(&layout()))),
            Some(Job::Collect) => Event::Collected(result.map(|()| PageBitmap::none(&layout()))),
            Some(Job::DropFrames) => Event::FramesDropped(result.map(|()| place)),
            Some(Job::Drain) => Event::RingsDrained(result),
            Some(Job::Save) => Event::StateSaved(result.map(|()| vec![piece()])),
            Some(Job::Pause) => {
                self.source_runs &= !works;
                Event::VcpusPaused(result)
            }
            Some(Job::Resume) => return self.source_resumes(),
            Some(Job::Stream) if works => return self.stream(),
            _ => Event::Failed("no".to_owned()),
        };
        self.source_event(event);
    }

    fn source_resumes(&mut self) {
        let place = self
            .source
            .as_ref()
            .and_then(|s| s.progress(self.now).place);
        self.source_epoch = place.map_or(EPOCH, |place| place.epoch);
        self.source_runs = true;
    }

    fn stream(&mut self) {
        use crate::precopy::{Next, Sent};
        loop {
            let Some(source) = &mut self.source else {
                return;
            };
            match source.next(self.now, 0) {
                Next::Pages(_) => source.sent(self.now, Sent::default()),
                Next::RoundEnd { round, last } => {
                    if self.connected {
                        self.data.push_back((round, last));
                    }
                    if last {
                        self.source_event(source::Event::LastRoundSent);
                    }
                }
                Next::Wait(_) | Next::Idle => return,
            }
        }
    }

    /// The destination's VMM or node does the next thing that it was asked for.
    pub fn destination_job(&mut self, works: bool) {
        use destination::Event;
        let result = if works { Ok(()) } else { Err("no".to_owned()) };
        let event = match self.destination_jobs.pop_front() {
            Some(Job::Prepare) => {
                self.node.prepared |= works;
                Event::Prepared(result)
            }
            Some(Job::Load) => Event::Loaded(result),
            Some(Job::Run(place)) => {
                self.destination_runs = works && self.node.starts();
                self.destination_ran |= self.destination_runs;
                if self.destination_runs {
                    assert_eq!(self.record, Some(place), "run without having it");
                }
                let runs = self.destination_runs.then_some(());
                Event::Resumed(runs.ok_or("no".to_owned()))
            }
            other => panic!("the destination does not do {other:?}"),
        };
        self.destination_event(event);
    }
}

fn piece() -> Piece {
    Piece {
        part: Part::Vcpu,
        name: "0".into(),
        version: 1,
        bytes: vec![],
    }
}
