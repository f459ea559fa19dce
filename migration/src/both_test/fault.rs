//! What can go wrong, and when.

use super::world::{DESTINATION, World};
use crate::progress::State;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    Source,
    Destination,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The connection breaks; what was under way is lost.
    LinkLost,
    /// The VMM is killed.
    Killed(At),
    /// The node is started again; what it was asked may be carried out or not.
    NodeRestarted(At),
    /// What the VMM or its node was to do fails.
    ActionFailed(At),
    /// It is not known whether the transaction was carried out: it was not.
    AnswerLostBefore(At),
    /// It is not known whether the transaction was carried out: it was.
    AnswerLostAfter(At),
    /// It is not known whether the transaction was carried out: it will be, at any time.
    AnswerEarly(At),
    /// The other side or something else is so slow that time runs out.
    Slow(At),
    /// Somebody cancels.
    Cancelled(At),
}

impl Fault {
    /// As the documentation has it.
    pub fn name(self) -> String {
        let at = |at| match at {
            At::Source => "source",
            At::Destination => "destination",
        };
        match self {
            Fault::LinkLost => "connection lost".to_owned(),
            Fault::Killed(who) => format!("{}'s VMM killed", at(who)),
            Fault::NodeRestarted(who) => format!("{}'s node restarted", at(who)),
            Fault::ActionFailed(who) => format!("an action fails at the {}", at(who)),
            Fault::AnswerLostBefore(who) => format!("{}'s transaction lost", at(who)),
            Fault::AnswerLostAfter(who) => format!("answer to the {}'s transaction lost", at(who)),
            Fault::AnswerEarly(who) => format!("{}'s transaction delayed", at(who)),
            Fault::Slow(who) => format!("time runs out at the {}", at(who)),
            Fault::Cancelled(who) => format!("cancelled at the {}", at(who)),
        }
    }
}

/// How far the migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Setup,
    Precopy,
    SwitchOver,
    HandedOver,
    Asked,
    Committed,
    Running,
}

impl Step {
    /// As the documentation has it.
    pub fn name(self) -> &'static str {
        match self {
            Step::Setup => "1 preamble",
            Step::Precopy => "2 pre-copy",
            Step::SwitchOver => "3 switch-over",
            Step::HandedOver => "4 handed over",
            Step::Asked => "5 commit asked for",
            Step::Committed => "6 committed",
            Step::Running => "7 runs at the destination",
        }
    }

    /// How far it is in this world, if it is still under way.
    pub fn of(world: &World) -> Option<Step> {
        let source = world.source.as_ref()?;
        let destination = world.destination.as_ref()?;
        if world.destination_runs {
            return Some(Step::Running);
        }
        if world.record.is_some_and(|place| place.node == DESTINATION) {
            return Some(Step::Committed);
        }
        if destination.asked() {
            return Some(Step::Asked);
        }
        if source.handed_over() {
            return Some(Step::HandedOver);
        }
        match source.progress(world.now).state {
            State::Setup => Some(Step::Setup),
            State::Precopy => Some(Step::Precopy),
            State::SwitchOver => Some(Step::SwitchOver),
            _ => None,
        }
    }
}
