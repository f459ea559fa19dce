//! The state of a machine, apart from its memory: given by one that is paused, taken by one that was built empty.

use std::sync::Arc;

use dvs_migration::message::{Part, Piece};

use super::clock::Clock;
use super::cpu::state::MovingVcpu;
use super::cpu::thread::Vcpu;
use super::kvm::{Chips, KvmVm};
use super::persist::{Named, StateError};
use super::{Machine, MachineError, lock, offer};

/// Says whose state it was.
pub(super) fn of(name: &str) -> impl Fn(StateError) -> MachineError {
    move |source| MachineError::State {
        name: name.to_owned(),
        source,
    }
}

/// What a machine has beside what is plugged into it: interrupts come to the controllers first, then to the vCPUs.
pub(super) fn processors(vm: &Arc<KvmVm>, vcpus: &[Arc<Vcpu>]) -> Result<Vec<Named>, MachineError> {
    const CLOCK: &str = "clock";
    let chips = Arc::new(Chips(vm.clone()));
    let mut parts = vec![Named::new(Part::Machine, "interrupt-controllers", chips)];
    parts.extend(vcpus.iter().enumerate().map(|(id, vcpu)| {
        let vcpu = Arc::new(MovingVcpu(vm.clone(), vcpu.clone()));
        Named::new(Part::Vcpu, &format!("vcpu{id}"), vcpu)
    }));
    let clock = Clock::new(vm.clone(), vcpus.to_vec()).map_err(of(CLOCK))?;
    parts.push(Named::new(Part::Clock, CLOCK, Arc::new(clock)));
    Ok(parts)
}

impl Machine {
    /// The state of everything but memory and what is behind the devices. The machine must be paused; it can go on
    /// afterwards as if nothing had been.
    pub fn save(&self) -> Result<Vec<Piece>, MachineError> {
        // Along the way of interrupts: one that moves on meanwhile is seen where it arrives, at worst twice.
        let piece = |part: &Named| part.save().map_err(of(&part.name));
        self.parts.iter().map(piece).collect()
    }

    /// Takes over the state of another machine. This one must have been built alike, without a payload, and have never
    /// run. Pieces of [`Part::Port`] are for others and are passed over.
    pub fn restore(&self, pieces: &[Piece]) -> Result<(), MachineError> {
        let states = self.match_up(pieces)?;
        // Against the way of interrupts: one that is raised again finds its way. The clock is the first, since timers
        // are set by it.
        for (part, piece) in states.iter().rev() {
            part.load(piece).map_err(of(&part.name))?;
        }
        if let Some(first) = self.vcpus.first() {
            *lock(&self.cpu) = offer::cpu_of(first).map_err(of("vcpu0"))?;
        }
        Ok(())
    }

    /// Takes over its own state, as it will take over another's: what this host's KVM cannot do shows before a guest waits
    /// for it, and the way has been gone once when time matters. For a machine that has never run.
    pub fn rehearse(&self) -> Result<(), MachineError> {
        self.restore(&self.save()?)
    }

    /// Each part with its one state.
    fn match_up<'a>(
        &'a self,
        pieces: &'a [Piece],
    ) -> Result<Vec<(&'a Named, &'a Piece)>, MachineError> {
        let of_nobody = |piece: &&Piece| {
            piece.part != Part::Port && !self.parts.iter().any(|part| part.is_meant(piece))
        };
        if let Some(piece) = pieces.iter().find(of_nobody) {
            return Err(MachineError::Unknown(piece.name.to_string()));
        }
        let state_of = |part: &'a Named| {
            let mut own = pieces.iter().filter(|piece| part.is_meant(piece));
            match (own.next(), own.next()) {
                (Some(piece), None) => Ok((part, piece)),
                _ => Err(MachineError::Missing(part.name.clone())),
            }
        };
        self.parts.iter().map(state_of).collect()
    }
}
