//! Moves of a guest between two hosts beside those of QEMU.

mod load;
mod peer;

use std::time::Duration;

use anyhow::Result;
use dvs_report::Row;

use self::peer::Peer;
use super::RUNS;
use crate::harness::Lab;

/// The guest that moves.
const CPUS: u8 = 2;
const MEMORY_MIB: u64 = 512;
/// For how long it may stand still.
const DOWNTIME_MS: u64 = 300;
/// A move may take this long.
const LIMIT: Duration = Duration::from_secs(180);

/// All rows of moves.
pub fn rows(lab: &Lab) -> Result<Vec<Row>> {
    let mut peer = Peer::boot(lab)?;
    for run in 1..=RUNS {
        let seen = peer.move_under_load()?;
        lab.say(format!(
            "run {run}: {:?} excess {} calm {}",
            seen.moved,
            seen.excess(),
            seen.client.rate(seen.calm.0, seen.calm.1)
        ));
    }
    Ok(vec![])
}
