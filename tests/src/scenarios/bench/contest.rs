//! Two sides, measured in turn.

use anyhow::{Context, Result};
use dvs_report::Row;

use super::RUNS;
use crate::harness::Lab;

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Contest {
    /// Name of the row.
    pub name: &'static str,
    /// Unit of both figures.
    pub unit: &'static str,
    /// Who the peer is.
    pub peer: &'static str,
}

impl Contest {
    /// Measures ours and the peer's in turn.
    pub fn run(
        &self,
        lab: &Lab,
        mut ours: impl FnMut() -> Result<f64>,
        mut peer: impl FnMut() -> Result<f64>,
    ) -> Result<Row> {
        let (mut our_figures, mut peer_figures) = (Vec::new(), Vec::new());
        for run in 1..=RUNS {
            let figures = (ours()?, peer()?);
            our_figures.push(figures.0);
            peer_figures.push(figures.1);
            lab.say(format!(
                "{}, run {run} of {RUNS}: {:.0} {}, peer {:.0}",
                self.name, figures.0, self.unit, figures.1
            ));
        }
        Row::new(self.name, self.unit, self.peer, &our_figures, &peer_figures)
            .context("nothing was measured")
    }
}
