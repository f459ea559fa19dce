//! What breaks while a guest moves. Before its state is handed over it stays where it was, as if
//! nothing had happened; afterwards the directory decides, and it runs in exactly one place.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dvs_migration::progress::{Progress, State};

use super::field::Field;
use super::load::{Load, USUAL};
use crate::harness::{Lab, Member, Moving, Outcome, Privacy, Wishes};

/// So little a second that there is time for faults while memory is copied.
const SLOW: u64 = 12 << 20;
/// How long a transaction is held up: longer than a request waits before it is repeated, and
/// shorter than leases last.
const HELD_UP: Duration = Duration::from_secs(2);
/// A time for a move that is too short.
const TOO_SHORT_S: u64 = 4;

/// Where guests run after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Source,
    Destination,
    /// Either is right.
    Any,
}

/// Something that happens during a move, in the words of the table in docs/migration.md.
struct Fault {
    name: &'static str,
    place: Place,
    wishes: fn() -> Wishes,
    /// What happens; the move is between the hosts with these numbers.
    happens: fn(&Lab, &mut Field, (u8, u8), &Wishes) -> Result<Outcome>,
}

fn slow() -> Wishes {
    Wishes {
        bandwidth_bytes_per_s: Some(SLOW),
        ..Wishes::default()
    }
}

fn slow_and_short() -> Wishes {
    Wishes {
        timeout_s: TOO_SHORT_S,
        ..slow()
    }
}

/// Whatever goes wrong while memory is copied: the guest stays, and its clients see nothing.
pub fn before_the_hand_over(lab: &Lab) -> Result<()> {
    play(
        lab,
        "before",
        &[
            Fault {
                name: "2 pre-copy: cancelled at the source",
                place: Place::Source,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_precopy(lab, field, hosts, wishes, |moving| moving.cancel())
                },
            },
            Fault {
                name: "2 pre-copy: cancelled at the destination",
                place: Place::Source,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_precopy(lab, field, hosts, wishes, |moving| moving.cancel_there())
                },
            },
            Fault {
                name: "2 pre-copy: destination's VMM killed",
                place: Place::Source,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_precopy(lab, field, hosts, wishes, |moving| {
                        moving.there().kill();
                        Ok(())
                    })
                },
            },
            Fault {
                name: "2 pre-copy: time runs out at the source",
                place: Place::Source,
                wishes: slow_and_short,
                happens: |lab, field, hosts, wishes| {
                    in_precopy(lab, field, hosts, wishes, |_| Ok(()))
                },
            },
            Fault {
                name: "2 pre-copy: source's node restarted",
                place: Place::Source,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    node_restarted(lab, field, hosts, wishes, hosts.0)
                },
            },
            Fault {
                name: "2 pre-copy: destination's node restarted",
                place: Place::Any,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    node_restarted(lab, field, hosts, wishes, hosts.1)
                },
            },
            Fault {
                name: "2 pre-copy: connection lost",
                place: Place::Source,
                wishes: slow,
                happens: connection_lost,
            },
        ],
    )
}

/// Whatever goes wrong while the directory is asked: the guest runs in one place, and its clients
/// see no more than that it takes a while.
pub fn at_the_commit(lab: &Lab) -> Result<()> {
    play(
        lab,
        "commit",
        &[
            Fault {
                name: "5 commit asked for: destination's transaction delayed",
                place: Place::Any,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_commit(lab, field, hosts, wishes, |_, _| Ok(()))
                },
            },
            Fault {
                name: "5 commit asked for: destination's VMM killed",
                place: Place::Source,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_commit(lab, field, hosts, wishes, |moving, _| {
                        moving.there().kill();
                        Ok(())
                    })
                },
            },
            Fault {
                name: "5 commit asked for: cancelled at the source",
                place: Place::Any,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_commit(lab, field, hosts, wishes, |moving, _| moving.cancel())
                },
            },
            Fault {
                name: "5 commit asked for: source's VMM killed",
                place: Place::Destination,
                wishes: slow,
                happens: |lab, field, hosts, wishes| {
                    in_commit(lab, field, hosts, wishes, |moving, _| {
                        moving.here().kill();
                        Ok(())
                    })
                },
            },
        ],
    )
}

/// One fault after the other, on the same guests under the same load.
fn play(lab: &Lab, name: &str, faults: &[Fault]) -> Result<()> {
    let mut field = Field::start(lab, name, 3, Privacy::Plain)?;
    let mut load = field.load(lab, USUAL)?;
    for fault in faults {
        one(lab, &mut field, &mut load, fault).with_context(|| fault.name)?;
    }
    load.end()?.expect_clean()?;
    field.no_complaints()
}

fn one(lab: &Lab, field: &mut Field, load: &mut Load, fault: &Fault) -> Result<()> {
    let to = field.at % 3 + 1;
    lab.say(fault.name);
    let outcome = (fault.happens)(lab, field, (field.at, to), &(fault.wishes)())?;
    match outcome {
        Outcome::Moved(migrated) => {
            ensure!(fault.place != Place::Source, "it has moved: {migrated:?}");
            field.arrived(lab, to, &migrated);
        }
        Outcome::Stayed(seen) => {
            ensure!(fault.place != Place::Destination, "it has stayed: {seen:?}");
            let why = seen.error.as_ref().map_or("", |error| error.as_str());
            lab.say(format!("the server stays on host {}: {why}", field.at));
        }
        Outcome::Lost => anyhow::bail!("the server runs nowhere"),
    }
    load.wait_calls()
}

/// Memory is being copied.
fn copies(progress: &Progress) -> bool {
    progress.state == State::Precopy && progress.data_pages > 0
}

/// The state was handed over.
fn commits(progress: &Progress) -> bool {
    progress.state == State::Commit
}

fn in_precopy(
    lab: &Lab,
    field: &mut Field,
    (_, to): (u8, u8),
    wishes: &Wishes,
    happens: impl FnOnce(&mut Moving<'_>) -> Result<()>,
) -> Result<Outcome> {
    let mut moving = field.start_move(lab, to, wishes)?;
    moving.until(copies)?;
    happens(&mut moving)?;
    moving.finish(&mut |_| {})
}

fn node_restarted(
    lab: &Lab,
    field: &mut Field,
    (_, to): (u8, u8),
    wishes: &Wishes,
    host: u8,
) -> Result<Outcome> {
    let Field {
        cluster, server, ..
    } = field;
    let destination = cluster.destination(to)?;
    let mut moving = server.start_move(lab, &destination, wishes)?;
    moving.until(copies)?;
    cluster.host(host)?.crash_and_restart(lab)?;
    moving.finish(&mut |_| {})
}

fn connection_lost(
    lab: &Lab,
    field: &mut Field,
    (from, to): (u8, u8),
    wishes: &Wishes,
) -> Result<Outcome> {
    let Field {
        cluster, server, ..
    } = field;
    let destination = cluster.destination(to)?;
    let mut moving = server.start_move(lab, &destination, wishes)?;
    moving.until(copies)?;
    let (one, other) = (Member::Host(from), Member::Host(to));
    cluster.cut(one, other)?;
    let outcome = moving.finish(&mut |_| {});
    cluster.heal(one, other)?;
    outcome
}

/// The destination's transaction does not get through; what happens meanwhile; then it does.
fn in_commit(
    lab: &Lab,
    field: &mut Field,
    (_, to): (u8, u8),
    wishes: &Wishes,
    happens: impl FnOnce(&mut Moving<'_>, &Lab) -> Result<()>,
) -> Result<Outcome> {
    let Field {
        cluster, server, ..
    } = field;
    let destination = cluster.destination(to)?;
    let mut moving = server.start_move(lab, &destination, wishes)?;
    // Late: the cut must not last longer than a lease.
    moving.until(|progress| copies(progress) && progress.round > 1)?;
    let (one, other) = (Member::Host(to), Member::Directory);
    cluster.cut(one, other)?;
    let committing = moving.until(commits);
    let happened = committing.and_then(|()| {
        happens(&mut moving, lab)?;
        thread::sleep(HELD_UP);
        Ok(())
    });
    cluster.heal(one, other)?;
    happened?;
    moving.finish(&mut |_| {})
}
