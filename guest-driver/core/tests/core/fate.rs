//! What becomes of frames between VMs.

use crate::net::Net;

/// What the fabric does with the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    /// Lost; RETRY is said later.
    Drop,
    /// Arrives twice.
    Repeat,
    /// Held back: RETRY is said as for a loss, the frame arrives some time later.
    Hold,
}

impl Net {
    /// Chooses, by its number, the fate of the next frame of the class that has none yet.
    pub fn destine(&mut self, fate: u8, bulk: bool) {
        let fate = [Fate::Deliver, Fate::Drop, Fate::Repeat, Fate::Hold][usize::from(fate)];
        let fates = if bulk {
            &mut self.bulk_fates
        } else {
            &mut self.fates
        };
        fates.push_back(fate);
    }
}
