//! What the IPC means, without frames, numbers or time-outs: who is bound, who waits for whom.
//!
//! A [`world::World`] is one state that everything can be in. Within a VM all happens at once;
//! between VMs things are on their way, and arrive at any moment (`moves`). So after each event
//! there is a set of worlds that the rules allow ([`set::Worlds`]); what the core says rules out
//! the others, and if none is left, the core has broken the rules. At rest, when nothing is on
//! its way any more, the set is small: mostly one.
//!
//! `history` drives the core and this model with the same random histories.

mod acts;
mod calls;
mod carry;
mod copies;
mod copying;
mod deaths;
mod events;
mod histories;
mod history;
mod leave;
mod memory;
mod moves;
mod rendezvous;
mod renewal;
mod set;
mod special;
mod world;
