//! What breaks while a guest moves. Before its state is handed over it stays where it was, as if
//! nothing had happened; afterwards the directory decides, and it runs in exactly one place.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dvs_migration::progress::{Progress, State};

use super::field::{Field, PATIENT};
use super::load::{Load, USUAL};
use crate::harness::{Cluster, ClusterSpec, Lab, Member, Moving, Outcome, Privacy, Wishes};

/// So little a second that there is time for faults while memory is copied.
const SLOW: u64 = 12 << 20;
/// Time for a move: enough for any of them, and not so much that one that hangs is not told of.
const TIME_S: u64 = 90;
/// How long a transaction is held up: longer than a request waits before it is repeated, and
/// shorter than leases last.
const HELD_UP: Duration = Duration::from_secs(2);
/// Where the guest may run after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Source,
    Destination,
    /// One of them, whichever is first.
    Either,
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Memory is being copied, slowly.
    Precopy,
    /// The state was handed over, and the destination does not reach the directory for a while.
    Commit,
}

/// The parts of a move that faults can happen to.
struct Scene<'s, 'm> {
    lab: &'s Lab,
    moving: &'s mut Moving<'m>,
    cluster: &'s mut Cluster,
    from: u8,
    to: u8,
}

impl Scene<'_, '_> {
    fn cut_between_hosts(&mut self) -> Result<()> {
        let ends = [self.from, self.to].map(Member::Host);
        self.cluster.cut(ends[0], ends[1])
    }

    fn restart_node(&mut self, host: u8) -> Result<()> {
        self.cluster.host(host)?.crash_and_restart(self.lab)
    }
}

/// Something that happens during a move.
struct Fault {
    /// In the words of the table in docs/migration.md.
    name: &'static str,
    when: When,
    place: Place,
    happens: fn(&mut Scene<'_, '_>) -> Result<()>,
}

const BEFORE_THE_HAND_OVER: &[Fault] = &[
    Fault {
        name: "2 pre-copy: cancelled at the source",
        when: When::Precopy,
        place: Place::Source,
        happens: |scene| scene.moving.cancel(),
    },
    Fault {
        name: "2 pre-copy: cancelled at the destination",
        when: When::Precopy,
        place: Place::Source,
        happens: |scene| scene.moving.cancel_there(),
    },
    Fault {
        name: "2 pre-copy: destination's VMM killed",
        when: When::Precopy,
        place: Place::Source,
        happens: |scene| {
            scene.moving.there().kill();
            Ok(())
        },
    },
    Fault {
        name: "2 pre-copy: source's node restarted",
        when: When::Precopy,
        place: Place::Source,
        happens: |scene| scene.restart_node(scene.from),
    },
    Fault {
        name: "2 pre-copy: destination's node restarted",
        when: When::Precopy,
        place: Place::Source,
        happens: |scene| scene.restart_node(scene.to),
    },
    Fault {
        name: "2 pre-copy: connection lost",
        when: When::Precopy,
        place: Place::Source,
        happens: |scene| scene.cut_between_hosts(),
    },
];

const AT_THE_COMMIT: &[Fault] = &[
    Fault {
        name: "5 commit asked for: destination's transaction delayed",
        when: When::Commit,
        place: Place::Either,
        happens: |_| Ok(()),
    },
    Fault {
        name: "5 commit asked for: cancelled at the source",
        when: When::Commit,
        place: Place::Either,
        happens: |scene| scene.moving.cancel(),
    },
    Fault {
        name: "5 commit asked for: destination's VMM killed",
        when: When::Commit,
        place: Place::Source,
        happens: |scene| {
            scene.moving.there().kill();
            Ok(())
        },
    },
    Fault {
        name: "5 commit asked for: connection lost",
        when: When::Commit,
        place: Place::Either,
        happens: |scene| scene.cut_between_hosts(),
    },
    Fault {
        name: "5 commit asked for: source's node restarted",
        when: When::Commit,
        place: Place::Either,
        happens: |scene| scene.restart_node(scene.from),
    },
    Fault {
        name: "5 commit asked for: source's VMM killed",
        when: When::Commit,
        place: Place::Destination,
        happens: |scene| {
            scene.moving.here().kill();
            Ok(())
        },
    },
];

/// Whatever goes wrong while memory is copied: the guest stays, and its clients see nothing.
pub fn before_the_hand_over(lab: &Lab) -> Result<()> {
    let spec = ClusterSpec::new(3, Privacy::Plain);
    play(lab, "before", spec, BEFORE_THE_HAND_OVER)
}

/// Whatever goes wrong while the directory is asked: the guest runs in one place, and its clients
/// see no more than that it takes a while.
pub fn at_the_commit(lab: &Lab) -> Result<()> {
    play(lab, "commit", PATIENT, AT_THE_COMMIT)
}

/// One fault after the other, on the same guests under the same load.
fn play(lab: &Lab, name: &str, spec: ClusterSpec, faults: &[Fault]) -> Result<()> {
    let mut field = Field::start_on(lab, name, spec)?;
    let mut load = field.load(lab, USUAL)?;
    for fault in faults {
        lab.say(fault.name);
        one(lab, &mut field, &mut load, fault).context(fault.name)?;
    }
    load.end()?.expect_clean()?;
    field.no_complaints()
}

fn one(lab: &Lab, field: &mut Field, load: &mut Load, fault: &Fault) -> Result<()> {
    let to = field.at % 3 + 1;
    match disturbed_move(lab, field, to, fault)? {
        Outcome::Moved(migrated) => {
            ensure!(fault.place != Place::Source, "it has moved: {migrated:?}");
            field.arrived(lab, to, &migrated);
        }
        Outcome::Stayed(seen) => {
            ensure!(fault.place != Place::Destination, "it has stayed: {seen:?}");
            let why = seen.error.as_ref().map_or("", |error| error.as_str());
            lab.say(format!("the server stays on host {}: {why}", field.at));
        }
        Outcome::Lost => bail!("the server runs nowhere"),
    }
    load.wait_calls()
}

/// A move in which the fault happens.
fn disturbed_move(lab: &Lab, field: &mut Field, to: u8, fault: &Fault) -> Result<Outcome> {
    let from = field.at;
    let Field {
        cluster, server, ..
    } = field;
    let wishes = Wishes {
        bandwidth_bytes_per_s: (fault.when == When::Precopy).then_some(SLOW),
        timeout_s: TIME_S,
        ..Wishes::default()
    };
    let mut moving = server.start_move(lab, &cluster.destination(to)?, &wishes)?;
    moving.until(copies)?;
    if fault.when == When::Commit {
        cluster.cut(Member::Host(to), Member::Directory)?;
        moving.until(commits)?;
    }
    (fault.happens)(&mut Scene {
        lab,
        moving: &mut moving,
        cluster,
        from,
        to,
    })?;
    if fault.when == When::Commit {
        thread::sleep(HELD_UP);
        cluster.heal(Member::Host(to), Member::Directory)?;
    }
    let outcome = moving.finish(&mut |_| {});
    cluster.heal_all()?;
    outcome
}

/// Memory is being copied.
fn copies(progress: &Progress) -> bool {
    progress.state == State::Precopy && progress.data_pages > 0
}

/// The state was handed over.
fn commits(progress: &Progress) -> bool {
    progress.state == State::Commit
}
