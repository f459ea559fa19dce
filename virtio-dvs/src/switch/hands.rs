//! Endpoints that change hands: what the port of either side knows of it.

use crate::directory::{DirectoryError, Taken, Token};
use crate::frame::Frame;
use crate::privileges::Privileges;
use crate::switch::port::{Bound, Port};
use std::num::NonZeroU64;

/// The token in a request; `None`: none.
pub(super) fn token(number: u64) -> Option<Token> {
    NonZeroU64::new(number).map(Token)
}

impl Port {
    /// From now on no frame may have it as its source.
    pub(super) fn offer(&mut self, number: i32, generation: u32) {
        if let Some(bound) = self.bound_mut(number, generation) {
            bound.offered = true;
        }
    }

    /// The directory has answered an offer, or (`back`) that there is none any more.
    pub(super) fn offer_answered(
        &mut self,
        number: i32,
        generation: u32,
        back: bool,
        answer: &Result<u32, DirectoryError>,
    ) {
        let Some(bound) = self.bound_mut(number, generation) else {
            return;
        };
        match answer {
            Ok(_) => bound.offered = !back,
            Err(DirectoryError::NotBound(_)) => {
                self.bound.remove(&number);
            }
            Err(_) => bound.offered = back,
        }
    }

    /// It has come, with what it may do.
    pub(super) fn take(&mut self, number: i32, taken: &Taken, nonce: u64) -> Privileges {
        let default = || Privileges::of_number(&self.dc, number);
        let privileges = taken.privileges.unwrap_or_else(default);
        let bound = Bound {
            generation: taken.generation,
            nonce,
            privileges,
            offered: false,
        };
        // One that was asked for twice may have been given back since.
        if !self.is_unbinding(number, taken.generation) {
            self.bound.insert(number, bound);
        }
        privileges
    }

    fn bound_mut(&mut self, number: i32, generation: u32) -> Option<&mut Bound> {
        let bound = self.bound.get_mut(&number);
        bound.filter(|bound| [0, bound.generation].contains(&generation))
    }
}

/// Says in a BOUND what the endpoint may do (section 7).
pub(super) fn tell_privileges(frame: &mut Frame, privileges: &Privileges) {
    let [low, high] = [privileges.ipc_to, privileges.ipc_to >> u32::BITS];
    frame.arg = privileges.calls.into();
    frame.bulk_ack = lower(low).into();
    frame.bulk_credit = lower(high).into();
    frame.src_gen = privileges.level.into();
}

#[allow(clippy::cast_possible_truncation, reason = "that is what it is for")]
const fn lower(number: u64) -> u32 {
    number as u32
}
