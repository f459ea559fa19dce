//! What is to be seen from outside.

use super::{Phase, Source};
use crate::precopy::Precopy;
use crate::progress::{Progress, Side, State};
use crate::text::Text;
use std::time::Duration;

impl Source {
    /// How far it is.
    pub fn progress(&self, now: Duration) -> Progress {
        let mut progress = Progress::new(Side::Source, self.offer.vm);
        progress.state = self.state();
        progress.peer_node = self.peer_node;
        progress.place = self.settled;
        progress.total_bytes = self.offer.layout.bytes();
        progress.streams = self.streams;
        progress.compression = self.compression;
        progress.downtime_limit = Some(self.config.precopy.downtime);
        if let Some(precopy) = &self.precopy {
            progress.copying(precopy);
        }
        let until = self.marks.ended.unwrap_or(now);
        progress.setup = Some(
            self.marks
                .first_page
                .unwrap_or(until)
                .saturating_sub(self.marks.began),
        );
        progress.total = Some(
            self.marks
                .runs
                .unwrap_or(until)
                .saturating_sub(self.marks.began),
        );
        let stood = |paused| self.marks.runs.unwrap_or(until).saturating_sub(paused);
        progress.downtime = self.marks.paused.map(stood);
        progress.downtime_parts = self.parts;
        progress.blocked_by = self.blocked_by().map(Text::from);
        progress.error = self.error();
        progress
    }

    /// How far it is.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Checking | Phase::Offered | Phase::Logging => State::Setup,
            Phase::Sending | Phase::Collecting => State::Precopy,
            Phase::Pausing | Phase::Dropping | Phase::Draining | Phase::Saving => State::SwitchOver,
            Phase::HandedOver if self.parts.commit.is_some() => State::Resume,
            Phase::HandedOver => State::Commit,
            Phase::Ended if self.has_left() => State::Completed,
            Phase::Ended if self.failure.as_ref().is_some_and(|f| f.cancelled) => State::Cancelled,
            Phase::Ended => State::Failed,
        }
    }

    /// Whether the VM is elsewhere.
    fn has_left(&self) -> bool {
        self.lost_to.is_some_and(|found| found.is_some())
    }

    fn error(&self) -> Option<Text> {
        match self.lost_to {
            Some(Some(_)) => None,
            Some(None) => Some("the directory has no record of the VM any more".into()),
            None => self.failure.as_ref().map(|f| f.reason.clone()),
        }
    }

    fn blocked_by(&self) -> Option<String> {
        let waits = match self.phase {
            Phase::Checking => "the node of this host looks at the VM and the directory",
            Phase::Offered => "the destination looks at the offer",
            Phase::Logging | Phase::Collecting => "the logs of written pages are read",
            Phase::Pausing => "the CPUs stop",
            Phase::Dropping | Phase::Draining => "the node and the devices give all buffers back",
            Phase::Saving => "the rest of memory and state is sent",
            Phase::HandedOver if self.taking.is_some() && self.lost_to.is_some() => {
                "the destination's node says whether the VM has run there"
            }
            Phase::HandedOver if self.taking.is_some() => "the directory says who has the VM",
            Phase::HandedOver => "the destination loads and takes the VM",
            Phase::Sending => return self.precopy.as_ref().and_then(does_not_fit),
            Phase::Ended => return None,
        };
        Some(waits.to_owned())
    }
}

/// Why the guest does not stop yet.
fn does_not_fit(precopy: &Precopy) -> Option<String> {
    let expected = precopy.expected_downtime()?;
    let limit = precopy.config().downtime;
    (expected > limit).then(|| {
        format!(
            "the guest would stand still for {} ms, {} ms are allowed",
            expected.as_millis(),
            limit.as_millis()
        )
    })
}
