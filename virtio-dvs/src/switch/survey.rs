//! What guests tell of their endpoints, for whoever looks at the node from outside.
//!
//! A survey asks every guest that runs, one frame of records after the other. What is told is the
//! guest's own word: it is kept only for endpoints that the node knows this guest to have bound,
//! and whoever tells too much, or does not come to an end, is not asked on.

use crate::frame::{EndpointState, Frame, kind};
use crate::switch::{Action, Drop, PortId, Switch};
use std::collections::BTreeMap;
use zerocopy::FromBytes;

/// What one guest has told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// States of its endpoints, by number. All of them were bound when it was told.
    pub states: BTreeMap<i32, EndpointState>,
    /// Whether that was all.
    pub complete: bool,
}

/// What all guests are being asked.
#[derive(Debug)]
pub(super) struct Survey {
    nonce: u64,
    guests: BTreeMap<PortId, Guest>,
}

/// How far one guest is.
#[derive(Debug, Default)]
struct Guest {
    /// From where on it was asked last.
    place: u64,
    records: usize,
    told: Told,
}

impl Switch {
    /// Asks every guest that runs for the states of its endpoints. An earlier survey ends.
    pub fn survey(&mut self) {
        let nonce = self.next_survey;
        self.next_survey += 1;
        let running = |id: &PortId| {
            let port = self.port(*id);
            port.is_some_and(|port| port.running && port.incarnation().is_some())
        };
        let ids: Vec<PortId> = self.ports().filter(running).collect();
        for &id in &ids {
            self.ask_guest(id, nonce, 0);
        }
        let guests = ids.into_iter().map(|id| (id, Guest::default())).collect();
        self.survey = Some(Survey { nonce, guests });
    }

    /// Whether nobody who was asked owes an answer.
    pub fn survey_is_over(&self) -> bool {
        let mut guests = self.survey.iter().flat_map(|it| it.guests.values());
        guests.all(|guest| guest.told.complete)
    }

    /// Ends the survey; gives what was told, by VM.
    pub fn end_survey(&mut self) -> BTreeMap<u32, Told> {
        let guests = self.survey.take().map(|it| it.guests).unwrap_or_default();
        let told = |(id, guest): (PortId, Guest)| Some((self.port(id)?.attributes.vm, guest.told));
        guests.into_iter().filter_map(told).collect()
    }

    /// A guest tells: a frame with the verdict [`crate::switch::Verdict::Tell`], and its payload.
    pub fn told(&mut self, from: PortId, header: &Frame, payload: &[u8]) -> Result<(), Drop> {
        if header.kind == kind::ORDERED {
            return self.ordered(from, header);
        }
        self.told_states(from, header, payload)
    }

    fn told_states(&mut self, from: PortId, header: &Frame, payload: &[u8]) -> Result<(), Drop> {
        let (nonce, next) = (header.op.get(), header.arg.get());
        let survey = self.survey.as_mut().filter(|it| it.nonce == nonce);
        let survey = survey.ok_or(Drop::NotAsked)?;
        let guest = survey.guests.get_mut(&from);
        let guest = guest.filter(|it| !it.told.complete).ok_or(Drop::NotAsked)?;
        let port = self.ports.get(from.0).and_then(Option::as_ref);
        let port = port.ok_or(Drop::NotAsked)?;
        let records = <[EndpointState]>::ref_from_bytes(payload);
        let records = records.ok().filter(|records| {
            let all = guest.records + records.len();
            let goes_on = next > guest.place && !records.is_empty();
            all <= port.attributes.limits.max_endpoints as usize && (next == 0 || goes_on)
        });
        let Some(records) = records else {
            survey.guests.remove(&from);
            return Err(Drop::NotAsked);
        };
        guest.records += records.len();
        for state in records {
            if port.bound(state.nr.get(), state.generation.get()).is_some() {
                guest.told.states.insert(state.nr.get(), *state);
            }
        }
        if next == 0 {
            guest.told.complete = true;
            return Ok(());
        }
        guest.place = next;
        self.ask_guest(from, nonce, next);
        Ok(())
    }

    /// A question that found no room before, if it is still open.
    pub(super) fn ask_again(&mut self, id: PortId, ask: Frame) {
        let open = self
            .survey
            .as_ref()
            .is_some_and(|survey| survey.nonce == ask.op.get() && survey.guests.contains_key(&id));
        if open {
            self.actions.push_back(Action::Say(id, ask));
        }
    }

    /// Who lives no more tells nothing more.
    pub(super) fn leaves_survey(&mut self, id: PortId) {
        if let Some(survey) = &mut self.survey {
            survey.guests.remove(&id);
        }
    }

    fn ask_guest(&mut self, id: PortId, nonce: u64, place: u64) {
        let Some(mut ask) = self.frame_to(id, kind::ASK) else {
            return;
        };
        ask.op = nonce.into();
        ask.arg = place.into();
        self.actions.push_back(Action::Say(id, ask));
    }
}
