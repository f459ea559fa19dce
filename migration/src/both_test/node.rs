//! The destination's node: whether it knows that the VM has not run there, and what it has the record say.

use crate::place::Start;

/// What matters of it here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// It has made a port since it was started.
    pub prepared: bool,
    /// The VMM has gone.
    left: bool,
    /// The VM came to the port and has not run since.
    fresh: bool,
    /// The VM is here.
    here: bool,
    /// It does not answer.
    pub away: bool,
    /// It has given the VM back: nobody can start it any more.
    declined: bool,
    /// What the record is to say, one after the other.
    pub marks: Vec<Start>,
    /// It was started again while it mattered, and does not know whether the VM has run.
    pub forgetful: bool,
}

impl Node {
    /// The VM is here.
    pub fn arrived(&mut self) {
        self.here = true;
        self.fresh = self.prepared;
        self.settle();
    }

    /// The VMM ends its connection.
    pub fn is_left(&mut self) {
        self.left = true;
        self.settle();
    }

    fn settle(&mut self) {
        if self.left && self.fresh {
            self.give_back();
        }
    }

    /// The VMM does not want the VM, and must know whether it has run.
    pub fn forgets(&mut self) {
        if self.here && !self.away && !self.declined {
            self.give_back();
        }
        self.left = true;
    }

    fn give_back(&mut self) {
        self.fresh = false;
        self.declined = true;
        self.marks.push(Start::Declined);
    }

    /// The VMM is about to run the guest; gives whether it may.
    pub fn starts(&mut self) -> bool {
        self.fresh = false;
        if !self.declined {
            self.marks.push(Start::Made);
        }
        !self.declined
    }

    /// It is started again, and finds the guest running or not.
    pub fn restarted(&mut self, runs: bool) {
        let declined = self.marks.contains(&Start::Declined);
        self.forgetful |= self.prepared || declined;
        self.prepared = false;
        self.fresh = false;
        self.marks.clear();
        if runs {
            self.marks.push(Start::Made);
        }
    }
}
