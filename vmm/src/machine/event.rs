//! What the guest does that concerns the machine as a whole.

/// An event that the VMM must act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestEvent {
    /// The guest powered the machine off.
    PowerOff,
    /// The guest asked for a reset, or its processor did (triple fault).
    Reset,
    /// The guest cannot go on; the sentence says why.
    Failed(String),
}

/// Takes the events of a guest; called on vCPU threads.
pub trait GuestEvents: Send + Sync {
    /// Reports an event. Must not block.
    fn report(&self, event: GuestEvent);
}
