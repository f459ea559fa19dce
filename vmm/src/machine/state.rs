//! The state of a machine, apart from its memory: given by one that is paused, taken by one that was built empty.

use dvs_migration::message::{Part, Piece};

use super::persist::StateError;
use super::{Machine, MachineError};

fn of(name: &str) -> impl Fn(StateError) -> MachineError {
    move |source| MachineError::State {
        name: name.to_owned(),
        source,
    }
}

impl Machine {
    /// The state of everything but memory and what is behind the devices. The machine must be paused; it can go on
    /// afterwards as if nothing had been.
    pub fn save(&self) -> Result<Vec<Piece>, MachineError> {
        let piece = |part: &super::persist::Named| part.save().map_err(of(&part.name));
        self.parts.iter().map(piece).collect()
    }

    /// Takes over the state of another machine. This one must have been built alike, without a payload, and have never
    /// run. Pieces of [`Part::Port`] are for others and are passed over.
    pub fn restore(&self, pieces: &[Piece]) -> Result<(), MachineError> {
        let of_nobody = |piece: &&Piece| {
            piece.part != Part::Port && !self.parts.iter().any(|part| part.is_meant(piece))
        };
        if let Some(piece) = pieces.iter().find(of_nobody) {
            return Err(MachineError::Unknown(piece.name.to_string()));
        }
        for part in self.parts.iter().rev() {
            let mut own = pieces.iter().filter(|piece| part.is_meant(piece));
            let (Some(piece), None) = (own.next(), own.next()) else {
                return Err(MachineError::Missing(part.name.clone()));
            };
            part.load(piece).map_err(of(&part.name))?;
        }
        Ok(())
    }
}
