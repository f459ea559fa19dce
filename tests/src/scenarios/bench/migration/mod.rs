//! Moves of a guest between two hosts beside those of QEMU.

mod load;
mod ours;
mod peer;

use std::time::Duration;

use anyhow::{Context, Result};
use dvs_report::Row;

use self::load::Seen;
use self::ours::Ours;
use self::peer::Peer;
use super::{RUNS, tell};
use crate::harness::Lab;

/// For how long a guest may stand still, on both sides.
const DOWNTIME_MS: u64 = 300;
/// Streams of pages: as many as QEMU has if it is not told otherwise.
const CONNECTIONS: u16 = 1;
/// A move may take this long.
const LIMIT: Duration = Duration::from_secs(180);
/// Who is compared with.
const PEER: &str = "QEMU moving the same guest between such hosts";

/// Figures of all runs: ours, and the peer's.
#[derive(Debug, Default)]
struct Pairs(Vec<f64>, Vec<f64>);

impl Pairs {
    fn add(&mut self, ours: f64, peer: f64) {
        self.0.push(ours);
        self.1.push(peer);
    }

    fn row(&self, lab: &Lab, name: &str, unit: &str, peer: &str) -> Result<Row> {
        let row = Row::new(name, unit, peer, &self.0, &self.1);
        Ok(tell(lab, row.context("nothing was measured")?))
    }
}

/// All rows of moves.
pub fn rows(lab: &Lab) -> Result<Vec<Row>> {
    let mut peer = Peer::boot(lab)?;
    let mut ours = Ours::boot(lab)?;
    let (mut downtime, mut total) = (Pairs::default(), Pairs::default());
    let (mut excess, mut rate) = (Pairs::default(), Pairs::default());
    for run in 1..=RUNS {
        let our = ours.move_under_load()?;
        let theirs = peer.move_under_load()?;
        // Once more for those who stay: their calls would be work that the peer has not.
        let (beside, others) = ours.move_beside_others()?;
        downtime.add(our.moved.downtime, theirs.moved.downtime);
        total.add(our.moved.total, theirs.moved.total);
        excess.add(our.excess(), theirs.excess());
        let during = |(from, until)| others.rate(from, until);
        rate.add(during(beside.time), during(beside.calm));
        lab.say(format!(
            "run {run} of {RUNS}: ours {}; QEMU's {}",
            described(&our),
            described(&theirs)
        ));
    }
    Ok(vec![
        downtime.row(lab, "downtime_vs_qemu", "ms", PEER)?,
        total.row(lab, "total_vs_qemu", "ms", PEER)?,
        excess.row(lab, "client_stall_excess_ms", "ms", PEER)?,
        rate.row(lab, "others_rate", "calls/s", "the same before the move")?,
    ])
}

fn described(seen: &Seen) -> String {
    format!(
        "{:.0} ms, stood still for {:.1} ms, its client {:.1} ms longer than that",
        seen.moved.total,
        seen.moved.downtime,
        seen.excess()
    )
}
