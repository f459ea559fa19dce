//! What the VMMs hear: from their nodes, and from each other.

use dvs_migration::destination::Event as AtDestination;
use dvs_migration::source::Event as AtSource;
use virtio_dvs::directory;
use virtio_dvs::switch::{Settled, Ticket};

use super::*;

/// What a node has said, or why it has not.
type Said = Result<Option<directory::Residence>, String>;

impl World {
    pub(in crate::sim) fn move_settled(&mut self, host: usize, ticket: Ticket, settled: Settled) {
        if let Some(asked) = self.hosts[host].tickets.remove(&ticket) {
            self.trace(|| format!("{asked:?}: {settled:?}"));
            self.node_has_answered(asked, settled.map_err(|error| error.to_string()));
        }
    }

    pub(super) fn node_has_answered(&mut self, asked: Asked, said: Said) {
        let Asked {
            migration: number,
            side,
            what,
        } = asked;
        if !self.migrations[number].vmm(side).lives {
            return;
        }
        let place = said.clone().and_then(|place| {
            let place = place.map(|it| to_vmm(it.place));
            place.ok_or_else(|| "there is no place".to_owned())
        });
        match (what, side) {
            (What::Place, _) => self.source_event(number, AtSource::NodeChecked(place)),
            (What::Hold, _) => self.source_event(number, AtSource::FramesDropped(place)),
            (What::Prepare, _) => self.is_prepared(number, said.map(|_| ())),
            (What::Take, side) => {
                let answer = said.map(|found| found.map(found_by_vmm));
                match side {
                    Side::Source => self.source_event(number, AtSource::Taken(answer)),
                    Side::Destination => {
                        self.destination_event(number, AtDestination::Taken(answer));
                    }
                }
            }
            (What::Release | What::Forget, _) => {}
        }
    }

    /// The destination's VMM connects to the port that was made for it.
    fn is_prepared(&mut self, number: usize, prepared: Result<(), String>) {
        let migration = &self.migrations[number];
        let (vm, host) = (migration.vm, migration.host(Side::Destination));
        let port = self.hosts[host].switch.any_port_of(vm);
        if let Some(port) = port.filter(|_| prepared.is_ok() && migration.destination.is_some()) {
            self.hosts[host].ports.entry(port).or_default().connected = true;
            self.hosts[host].switch.connected(port);
        }
        self.destination_event(number, AtDestination::Prepared(prepared));
    }

    /// Something goes to the VMM of that side.
    pub(super) fn mail(&mut self, number: usize, to: Side, mail: Mail) {
        let at = self.now + self.dice.delay(self.plan.settings.network_ns);
        let migration = &mut self.migrations[number];
        if !migration.connected {
            return;
        }
        migration.connected &= !matches!(mail, Mail::Closed);
        self.deliver_mail(number, to, mail, at);
    }

    fn deliver_mail(&mut self, number: usize, to: Side, mail: Mail, at: u64) {
        let vmm = self.migrations[number].vmm(to);
        vmm.mail.push_back(mail);
        vmm.due = vmm.due.max(at);
        let event = Event::Mail {
            migration: number,
            side: to,
        };
        self.agenda.add(vmm.due, event);
    }

    /// Something has come from the other VMM.
    pub(in crate::sim) fn vmm_hears(&mut self, number: usize, side: Side) {
        let Some(mail) = self.migrations[number].vmm(side).mail.pop_front() else {
            return;
        };
        let closed = || "closed".to_owned();
        match (side, mail) {
            (Side::Source, Mail::ToSource(message)) => {
                self.source_event(number, AtSource::Peer(message));
            }
            (Side::Source, Mail::Closed) => {
                self.source_event(number, AtSource::PeerLost(closed()));
            }
            (Side::Destination, Mail::ToDestination(message)) => {
                self.destination_event(number, AtDestination::Peer(message));
            }
            (Side::Source, Mail::StreamLost) => {
                self.source_event(
                    number,
                    AtSource::Failed("the stream of pages is lost".into()),
                );
            }
            (Side::Destination, Mail::Join) => self.stream_comes(number),
            (Side::Destination, Mail::Round(round, last)) => {
                let ended = AtDestination::RoundEnded {
                    stream: 0,
                    round,
                    last,
                };
                self.destination_event(number, ended);
            }
            (Side::Destination, Mail::Closed) => {
                self.destination_event(number, AtDestination::PeerLost(closed()));
            }
            (side, mail) => self.ledger.wrong(format!("{mail:?} comes to the {side:?}")),
        }
        self.migration_over(number);
    }

    /// A destination that has given up takes no stream any more.
    fn stream_comes(&mut self, number: usize) {
        let now = Duration::from_nanos(self.now);
        let destination = self.migrations[number].destination.as_mut();
        let joined = destination.map(|it| it.join(now, attempt(number), 0));
        if joined.is_some_and(|it| it.is_err()) {
            self.mail(number, Side::Source, Mail::StreamLost);
        }
    }

    /// The two hosts cannot reach each other any more: what was under way is lost, and both VMMs
    /// notice.
    pub(in crate::sim) fn vmms_parted(&mut self, one: usize, other: usize, silent: bool) {
        for number in 0..self.migrations.len() {
            let migration = &mut self.migrations[number];
            let hosts = [
                migration.host(Side::Source),
                migration.host(Side::Destination),
            ];
            let between = hosts == [one, other] || hosts == [other, one];
            if !between || !std::mem::take(&mut migration.connected) {
                continue;
            }
            for side in [Side::Source, Side::Destination] {
                self.migrations[number].vmm(side).mail.clear();
                let keepalive = self.plan.settings.keepalive_ns;
                let after = match silent {
                    true => self.dice.between(keepalive / 2, keepalive),
                    false => self.dice.delay(self.plan.settings.network_ns),
                };
                self.deliver_mail(number, side, Mail::Closed, self.now + after);
            }
        }
    }

    /// The VMMs of a host notice that their node is gone.
    pub(in crate::sim) fn vmms_lose_node(&mut self, host: usize) {
        for number in 0..self.migrations.len() {
            for side in [Side::Source, Side::Destination] {
                let here = self.migrations[number].host(side) == host;
                if here && self.migrations[number].vmm(side).lives {
                    let at = self.now + self.dice.delay(self.plan.settings.signal_ns);
                    let event = Event::NodeGone {
                        migration: number,
                        side,
                    };
                    self.agenda.add(at, event);
                }
            }
        }
    }

    pub(in crate::sim) fn vmm_lost_node(&mut self, number: usize, side: Side) {
        let why = "it was started again".to_owned();
        match side {
            Side::Source => self.source_event(number, AtSource::NodeLost(why)),
            Side::Destination => self.destination_event(number, AtDestination::NodeLost(why)),
        }
    }
}
