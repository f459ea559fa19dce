//! What is required of a move, call by call (docs/migration.md): processes of the moving guest and
//! of guests on the old host, the new host and a third are in the middle of calls when it moves,
//! or make them while it stands still.

mod bystanders;
mod cast;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dvs_migration::progress::{Progress, State};
use virtio_dvs::node::control::EndpointInfo;

use self::bystanders::Bystanders;
use self::cast::{BLOCKED, Cast, HELD, SLOW, USER};
use super::field::{Field, MOVING, PATIENT};
use super::load::Amount;
use crate::harness::{COMMAND_LIMIT, Cluster, Host, Lab, Member, Outcome, Wishes};

/// Little enough that copying takes some seconds even with a little load.
const SLOWLY: u64 = 12 << 20;
/// Where the server goes.
const TO: u8 = 2;
/// The usual work goes on meanwhile, with little of it.
const LITTLE: Amount = Amount {
    mib: 16,
    pages_per_second: Some(200),
    calls_per_second: 20,
};
/// Between looks at what a guest tells of an endpoint: nobody announces that a call has begun.
const LOOK: Duration = Duration::from_millis(50);

/// All requirements on one move, and on one more if that was taken back.
pub fn hold(lab: &Lab) -> Result<()> {
    let mut field = Field::start_on(lab, "needs", PATIENT)?;
    let mut bystanders = Bystanders::start(lab, &mut field)?;
    let load = field.load(lab, LITTLE)?;
    let mut cast = Cast::start(&mut field.server, &mut field.clients)?;
    // All that shall be under way when it begins is under way.
    let host = field.cluster.host(1)?;
    wait_for(host, SLOW, |it| queued(it) == 3)?;
    wait_for(host, BLOCKED, |it| waits(it, "RECEIVING"))?;
    let before = records(&field.cluster, field.at)?;
    lab.say("calls are under way; the server moves");
    match disturbed_move(lab, &mut field, &mut cast, &mut bystanders)? {
        Outcome::Moved(migrated) => field.arrived(lab, TO, &migrated),
        Outcome::Stayed(_) => {
            lab.say("the source has taken it back; it moves once more");
            cast.still_wait()?;
            field.migrate(lab, TO, &Wishes::default(), &mut |_| {})?;
        }
        Outcome::Lost => bail!("the server runs nowhere"),
    }
    let after = records(&field.cluster, TO)?;
    ensure!(before == after, "before {before:?}, after {after:?}");
    // What was sent meanwhile comes by itself.
    wait_for(field.cluster.host(TO)?, SLOW, |it| queued(it) == 5)?;
    cast.finish(&mut field.server, &mut field.clients, TO)?;
    bystanders.end()?;
    cast.end()?;
    load.end()?.expect_clean()?;
    field.no_complaints()
}

/// The move, with calls before the guest stands still and while it does.
fn disturbed_move(
    lab: &Lab,
    field: &mut Field,
    cast: &mut Cast,
    bystanders: &mut Bystanders,
) -> Result<Outcome> {
    let Field {
        cluster,
        server,
        clients,
        ..
    } = field;
    let wishes = Wishes {
        bandwidth_bytes_per_s: Some(SLOWLY),
        ..Wishes::default()
    };
    let mut moving = server.start_move(lab, &cluster.destination(TO)?, &wishes)?;
    moving.until(copies)?;
    cast.while_copied(clients)?;
    // What is left to be copied takes a second or so.
    moving.until(|progress| progress.round > 1)?;
    // Whose transaction is held up: the guest stands still until it is carried out.
    cluster.cut(Member::Host(TO), Member::Directory)?;
    moving.until(commits)?;
    lab.say("it stands still");
    let seen = cast
        .while_it_stands_still()
        .and_then(|()| bystanders.go_on());
    cluster.heal(Member::Host(TO), Member::Directory)?;
    seen.context("while it stands still")?;
    moving.finish(&mut |_| {})
}

fn copies(progress: &Progress) -> bool {
    progress.state == State::Precopy && progress.data_pages > 0
}

fn commits(progress: &Progress) -> bool {
    progress.state == State::Commit
}

fn queued(seen: &EndpointInfo) -> u32 {
    seen.state.as_ref().map_or(0, |state| state.queued)
}

fn waits(seen: &EndpointInfo, how: &str) -> bool {
    let state = seen.state.as_ref();
    state.is_some_and(|state| state.state.contains(how))
}

/// Waits until what a host is told of an endpoint is as `wanted`.
fn wait_for(host: &Host, ep: i32, wanted: impl Fn(&EndpointInfo) -> bool) -> Result<()> {
    let end = Instant::now() + COMMAND_LIMIT;
    loop {
        let all = host.client().endpoints()?;
        let seen = all.iter().find(|seen| seen.endpoint == ep);
        if seen.is_some_and(&wanted) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "endpoint {ep} is {seen:?}");
        std::thread::sleep(LOOK);
    }
}

/// What the cluster has on record about the moving guest's endpoints: life, generation and what they
/// may do. The host where they are has it, and no other.
fn records(cluster: &Cluster, at: u8) -> Result<Vec<EndpointInfo>> {
    let mut found = Vec::new();
    for (host, number) in cluster.hosts().into_iter().zip(1..) {
        let mut seen = host.client().endpoints()?;
        seen.retain(|it| it.vm == MOVING && [SLOW, HELD, BLOCKED, USER].contains(&it.endpoint));
        let wanted = if number == at { 4 } else { 0 };
        ensure!(seen.len() == wanted, "host {number} has of them {seen:?}");
        found.extend(seen);
    }
    for it in &mut found {
        // What they do changes, what they are does not.
        it.state = None;
        it.waits_for.clear();
    }
    found.sort_by_key(|it| it.endpoint);
    Ok(found)
}
