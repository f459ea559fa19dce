//! Our guest moving between two hosts, and what other guests of these hosts notice.

use anyhow::{Context, Result, anyhow};

use super::load::{Moved, Seen, Watch, under_load};
use super::{CONNECTIONS, DOWNTIME_MS};
use crate::harness::{Lab, Privacy, Wishes};
use crate::scenarios::SERVER;
use crate::scenarios::bench::{end, listen};
use crate::scenarios::migration::field::{Field, milliseconds};
use crate::scenarios::timeline::Timeline;

/// Endpoints of the server and the client in other guests.
const OTHERS: (i32, i32) = (28, 29);

/// Two hosts with a guest that moves between them, and one on each that stays.
#[derive(Debug)]
pub struct Ours<'a> {
    lab: &'a Lab,
    field: Field,
}

impl<'a> Ours<'a> {
    /// Boots them. What is sent is not encrypted, as the peer's is not.
    pub fn boot(lab: &'a Lab) -> Result<Self> {
        let field = Field::start(lab, "ours", 2, Privacy::Plain)?;
        Ok(Self { lab, field })
    }

    /// Moves the guest to the other host while guests that stay call each other; gives the timeline of
    /// those calls as well.
    pub fn move_beside_others(&mut self) -> Result<(Seen, Timeline)> {
        let [calling, other] = self.field.clients.as_mut_slice() else {
            return Err(anyhow!("there are not two other guests"));
        };
        let (number, own) = OTHERS;
        let serving = listen(other, &format!("server dvs:{number}"))?;
        let watch = Watch::start(calling, &format!("dvs:{number} --ep {own}"))?;
        let seen = self.move_under_load()?;
        let others = watch.end()?;
        end(serving)?;
        Ok((seen, others))
    }

    /// Moves the guest to the other host.
    pub fn move_under_load(&mut self) -> Result<Seen> {
        let to = 3 - self.field.at;
        let destination = self.field.cluster.destination(to)?;
        let Field {
            server, clients, ..
        } = &mut self.field;
        let calling = clients
            .first_mut()
            .context("there is no guest that calls")?;
        let wishes = Wishes {
            downtime_ms: DOWNTIME_MS,
            connections: CONNECTIONS,
            ..Wishes::default()
        };
        let mut migrated = None;
        let address = format!("dvs:{SERVER}");
        let seen = under_load((server, calling), &address, |guest| {
            // The peer is not looked at either: it tells when it is over.
            let moving = guest.start_move(self.lab, &destination, &wishes)?.seldom();
            let arrived = moving.finish(&mut |_| {})?.moved()?;
            let progress = &arrived.destination;
            self.lab
                .say(format!("ours: {} ms", progress.downtime_parts));
            let moved = Moved {
                downtime: milliseconds(progress.downtime),
                total: milliseconds(progress.total),
            };
            migrated = Some(arrived);
            Ok(moved)
        })?;
        if let Some(migrated) = &migrated {
            self.field.arrived(self.lab, to, migrated);
        }
        Ok(seen)
    }
}
