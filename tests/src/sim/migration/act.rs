//! What the VMMs do: to the machine, and to their nodes.

use dvs_migration::bitmap::PageBitmap;
use dvs_migration::destination::{self, Event as AtDestination};
use dvs_migration::message::{Part, Piece, ToDestination};
use dvs_migration::place::Place;
use dvs_migration::precopy::{Next, Sent};
use dvs_migration::source::{self, Event as AtSource};
use virtio_dvs::switch::{MoveRequest, Ticket};

use super::super::plan::UpsetKind;
use super::*;

/// What a VMM is told that could not do something.
fn refused<T>(works: bool, value: T) -> Result<T, String> {
    if works {
        Ok(value)
    } else {
        Err("no".to_owned())
    }
}

impl World {
    /// A VMM does the next thing.
    pub(in crate::sim) fn vmm_acts(&mut self, number: usize, side: Side) {
        let works = self.upset(number);
        let Some(job) = self.migrations[number].vmm(side).jobs.pop_front() else {
            return;
        };
        if !self.migrations[number].vmm(side).jobs.is_empty() {
            self.act_later(number, side);
        }
        let vm = self.migrations[number].vm;
        self.trace(|| format!("the {side:?} of VM {vm} does {}", Brief(&job)));
        match job {
            Job::Source(action) => self.source_acts(number, action, works),
            Job::Destination(action) => self.destination_acts(number, action, works),
        }
        self.migration_over(number);
    }

    /// What goes wrong in the middle, if now is the time. Gives whether the next thing works.
    fn upset(&mut self, number: usize) -> bool {
        let migration = &mut self.migrations[number];
        migration.steps += 1;
        let due = migration.steps;
        let Some(upset) = migration.upset.take_if(|it| it.step < due) else {
            return true;
        };
        self.trace(|| format!("UPSET {upset:?}"));
        let host = |side: Side| self.migrations[number].host(side);
        match upset.what {
            UpsetKind::VmmKilled(side) => self.kill_vmm(number, side, upset.down),
            UpsetKind::NodeKilled(side) => {
                let host = host(side);
                if self.hosts[host].up {
                    self.node_killed(host, upset.down, None);
                }
            }
            UpsetKind::DirectoryCut(side) => self.cut_directory(host(side), upset.down),
            UpsetKind::DirectoryDown => self.directory_down(upset.down),
            UpsetKind::LinkCut => {
                let (one, other) = (host(Side::Source), host(Side::Destination));
                self.cut_link(one, other, upset.down, false);
            }
            UpsetKind::Cancelled(Side::Source) => self.source_event(number, AtSource::Cancel),
            UpsetKind::Cancelled(Side::Destination) => {
                self.destination_event(number, AtDestination::Cancel);
            }
            UpsetKind::Fails => return false,
        }
        true
    }

    fn source_acts(&mut self, number: usize, action: source::Action, works: bool) {
        use source::Action;
        let vm = self.migrations[number].vm;
        match action {
            Action::CheckNode => self.ask_node(number, Side::Source, MoveRequest::Place { vm }),
            Action::Send(message) => {
                self.migrations[number].handed_over |=
                    matches!(message, ToDestination::HandOver(_));
                self.mail(number, Side::Destination, Mail::ToDestination(message));
            }
            Action::StartLog => {
                let pages = layout().map(|it| PageBitmap::all(&it));
                let pages = pages.filter(|_| works).ok_or("no".to_owned());
                self.source_event(number, AtSource::LogStarted(pages));
            }
            Action::Collect { .. } => {
                let pages = layout().map(|it| PageBitmap::none(&it));
                let pages = pages.filter(|_| works).ok_or("no".to_owned());
                self.source_event(number, AtSource::Collected(pages));
            }
            Action::SendPages => self.send_pages(number, works),
            Action::PauseVcpus => {
                if works {
                    self.cpus_stop(vm);
                }
                self.source_event(number, AtSource::VcpusPaused(refused(works, ())));
            }
            Action::DropFrames => {
                self.migrations[number].holding = true;
                self.ask_node(number, Side::Source, MoveRequest::Hold { vm });
            }
            Action::DrainRings => {
                let drained = works && self.drain_rings(vm);
                self.source_event(number, AtSource::RingsDrained(refused(drained, ())));
            }
            Action::SaveState => {
                let state = Piece {
                    part: Part::Vcpu,
                    name: "vcpu0".into(),
                    version: 1,
                    bytes: Vec::new(),
                };
                let saved = refused(works, vec![state]);
                self.source_event(number, AtSource::StateSaved(saved));
            }
            Action::Take { from } => {
                let from = to_node(from);
                self.ask_node(number, Side::Source, MoveRequest::Take { vm, from });
            }
            Action::AcceptFrames => {
                self.migrations[number].holding = false;
                self.ask_node(number, Side::Source, MoveRequest::Release { vm });
            }
            Action::ResumeVcpus => self.cpus_go_on(number, Side::Source),
            Action::Destroy => self.destroy(number, Side::Source),
            Action::Ended(_) => {
                self.migrations[number].source = None;
                self.mail(number, Side::Destination, Mail::Closed);
            }
            Action::OpenStreams { .. } => self.mail(number, Side::Destination, Mail::Join),
            // The rings are set up with the CPUs, and there is no log.
            Action::StartRings | Action::Throttle(_) | Action::StopLog => {}
        }
    }

    fn destination_acts(&mut self, number: usize, action: destination::Action, works: bool) {
        use destination::Action;
        let vm = self.migrations[number].vm;
        match action {
            Action::Prepare(_) if !works => {
                self.destination_event(number, AtDestination::Prepared(refused(false, ())));
            }
            Action::Prepare(offer) => {
                let place = to_node(offer.place);
                let prepare = MoveRequest::Prepare { vm, place };
                self.ask_node(number, Side::Destination, prepare);
            }
            // It is taken when it comes.
            Action::TakeStreams(_) => {}
            Action::Send(message) => self.mail(number, Side::Source, Mail::ToSource(message)),
            Action::Load(_) => {
                self.destination_event(number, AtDestination::Loaded(refused(works, ())));
            }
            Action::Take { from } => {
                let from = to_node(from);
                self.ask_node(number, Side::Destination, MoveRequest::Take { vm, from });
            }
            Action::Resume(place) => {
                let resumed = works && self.resume(number, place);
                self.destination_event(number, AtDestination::Resumed(refused(resumed, ())));
            }
            Action::Destroy => self.destroy(number, Side::Destination),
            Action::Ended(outcome) => {
                self.migrations[number].destination = None;
                if matches!(outcome, destination::Outcome::NotHere { .. }) {
                    // Its node may have made the port only now.
                    self.vmm_disconnects(number, Side::Destination);
                }
                self.mail(number, Side::Source, Mail::Closed);
            }
        }
    }

    fn send_pages(&mut self, number: usize, works: bool) {
        if !works {
            let broken = AtSource::Failed("the stream of pages is broken".to_owned());
            return self.source_event(number, broken);
        }
        let now = Duration::from_nanos(self.now);
        while let Some(source) = self.migrations[number].source.as_mut() {
            match source.next(now, 0) {
                Next::Pages(_) => source.sent(now, Sent::default()),
                Next::RoundEnd { round, last } => {
                    self.mail(number, Side::Destination, Mail::Round(round, last));
                    if last {
                        self.source_event(number, AtSource::LastRoundSent);
                    }
                }
                Next::Wait(_) | Next::Idle => return,
            }
        }
    }

    pub(super) fn ask_node(&mut self, number: usize, side: Side, request: MoveRequest) {
        let what = match request {
            MoveRequest::Place { .. } => What::Place,
            MoveRequest::Prepare { .. } => What::Prepare,
            MoveRequest::Hold { .. } => What::Hold,
            MoveRequest::Take { .. } => What::Take,
            MoveRequest::Release { .. } => What::Release,
            MoveRequest::Forget { .. } => What::Forget,
        };
        let asked = Asked {
            migration: number,
            side,
            what,
        };
        let host = self.migrations[number].host(side);
        if !self.hosts[host].up {
            return self.node_has_answered(asked, Err("there is no node".to_owned()));
        }
        let ticket = Ticket(self.count.tickets);
        self.count.tickets += 1;
        self.hosts[host].tickets.insert(ticket, asked);
        self.hosts[host].switch.request_move(ticket, request);
        self.settle(host);
    }

    fn cpus_stop(&mut self, vm: u32) {
        let now = self.now;
        self.guest_mut(vm).paused.get_or_insert(now);
        self.ledger.stands(vm, now);
    }

    /// The CPUs of a guest run, or it is dead: what was to be done is done.
    pub(in crate::sim) fn cpus_run(&mut self, vm: u32) {
        let guest = self.guest_mut(vm);
        let frozen = std::mem::take(&mut guest.frozen);
        let Some(since) = guest.paused.take() else {
            return;
        };
        for event in frozen {
            self.agenda.add(self.now, event);
        }
        self.ledger.goes_on(vm, self.now);
        self.out_of_order_since(since);
    }

    /// Every buffer comes back, what the node had taken in before it was killed among them.
    fn drain_rings(&mut self, vm: u32) -> bool {
        let Some((host, port)) = self.port_of(vm).filter(|_| self.guest(vm).running) else {
            return false;
        };
        self.drain(host, port, vm, 0);
        self.guest_mut(vm).running = false;
        self.hosts[host].switch.stopped(port);
        self.settle(host);
        true
    }

    /// The machine runs at the destination.
    fn resume(&mut self, number: usize, place: Place) -> bool {
        let (vm, host) = {
            let migration = &self.migrations[number];
            (migration.vm, migration.host(Side::Destination))
        };
        // With the next life begins another placement there.
        let record = self.directory.truth.place(vm).map(to_vmm);
        if !record.is_some_and(|it| it.node == place.node && it.epoch >= place.epoch) {
            let wrong = format!("VM {vm} runs at {place:?}, and the record says {record:?}");
            self.ledger.wrong(wrong);
        }
        if self.guest(vm).paused.is_none() || self.guest(vm).host == host {
            self.ledger.wrong(format!("VM {vm} runs already"));
        }
        let switch = &self.hosts[host].switch;
        let may_run = switch.any_port_of(vm).is_some_and(|it| switch.may_run(it));
        if !self.hosts[host].up || !may_run {
            return false;
        }
        self.ask_node(number, Side::Destination, MoveRequest::Release { vm });
        let guest = self.guest_mut(vm);
        guest.host = host;
        guest.boot += 1;
        guest.running = false;
        guest.reset_done = false;
        guest.wants_room_kick = false;
        self.migrations[number].arrived = true;
        self.count.moved += 1;
        self.cpus_go_on(number, Side::Destination);
        true
    }

    /// The CPUs run, and the rings are in use as soon as the node is there.
    fn cpus_go_on(&mut self, number: usize, side: Side) {
        let migration = &self.migrations[number];
        let (vm, host) = (migration.vm, migration.host(side));
        if side == Side::Source {
            self.count.stayed += 1;
            if self.guest(vm).host != host {
                self.ledger.wrong(format!("VM {vm} runs elsewhere already"));
            }
        }
        self.cpus_run(vm);
        let Some((_, port)) = self.port_of(vm) else {
            return; // The node comes back and says so.
        };
        let connected = self.hosts[host].ports.get(&port);
        if connected.is_some_and(|it| it.connected) {
            if self.hosts[host].switch.incarnation(port).is_none() {
                return; // Its driver waits for the next life, which the node tells.
            }
            self.begun(host, port);
            self.settle(host);
        } else {
            self.connect(vm);
        }
    }
}

/// What a VMM does, in short.
struct Brief<'a>(&'a Job);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self.0 {
            Job::Source(action) => format!("{action:?}"),
            Job::Destination(action) => format!("{action:?}"),
        };
        let short: String = text.chars().take(100).collect();
        to.write_str(&short)
    }
}
