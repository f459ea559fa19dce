//! What was called and what came of it: the facts that a history is judged by.

use std::collections::{BTreeMap, BTreeSet};

use dvs_core::{Kind, MAX_MESSAGE, Outcome};

/// Names a message; 0 is none.
pub(super) type Serial = u64;

/// An endpoint's DC and its number there.
pub(super) type Number = (u32, i32);

/// An endpoint in one life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) number: Number,
    pub(super) generation: u32,
    pub(super) vm: u32,
    /// Of the VM, its incarnation.
    pub(super) incarnation: u32,
}

impl Place {
    /// Who sent what came here.
    fn peer(&self, outcome: &Outcome) -> Number {
        (self.number.0, outcome.from.nr)
    }
}

/// How a message was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Send,
    Sendrec,
    Reply,
}

/// A message and its fate.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) way: Way,
    pub(super) from: Place,
    pub(super) to: Number,
    /// The request that it answers.
    pub(super) re: Serial,
    /// When its call ended, and how.
    pub(super) ended: Option<(u64, i32)>,
    /// The caller left without the decision of the receiver's core.
    pub(super) gave_up: bool,
    /// By being killed.
    pub(super) killed: bool,
    pub(super) received: Option<(u64, Place)>,
}

/// Notifications from one endpoint to another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notes {
    sent: u64,
    pub(super) received: u64,
    pub(super) last_sent: u64,
    pub(super) last_received: u64,
}

/// A time in which something was out of order.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u64,
    /// `u64::MAX`: it lasts.
    to: u64,
}

/// Everything that is known of a history.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// So long after an event a guest may act on what was true before it, while signals travel.
    lag: u64,
    pub(super) messages: Vec<Message>,
    /// By source number and generation, and destination number.
    pub(super) notes: BTreeMap<(Number, u32, Number), Notes>,
    last: BTreeMap<(Number, u32, Number, u32), Serial>,
    unbound: BTreeMap<Number, Vec<Span>>,
    generations: BTreeMap<Number, u32>,
    lives_over: BTreeSet<(u32, u32)>,
    /// Those of them that the others gave up.
    lapsed: BTreeSet<(u32, u32)>,
    /// Times in which a guest was out of another's reach.
    troubles: Vec<Span>,
    /// Those of machines that stand still, by VM.
    standing: BTreeMap<u32, usize>,
    /// Machines that have moved, or begun to: what they had sent may be of an old place.
    moved: BTreeSet<u32>,
    /// What is wrong.
    pub(super) violations: Vec<String>,
}

impl Ledger {
    pub(super) fn new(lag: u64) -> Ledger {
        Ledger {
            lag,
            ..Ledger::default()
        }
    }

    pub(super) fn wrong(&mut self, what: String) {
        self.violations.push(what);
    }

    /// A program asks for this number for the first time, or has lost it.
    pub(super) fn down(&mut self, number: Number, now: u64) {
        let spans = self.unbound.entry(number).or_default();
        if spans.last().is_none_or(|span| span.to != u64::MAX) {
            spans.push(Span {
                from: now,
                to: u64::MAX,
            });
        }
    }

    pub(super) fn up(&mut self, place: Place, now: u64) {
        let last = self.generations.insert(place.number, place.generation);
        if last.is_some_and(|last| last >= place.generation) {
            self.wrong(format!("{place:?}: its generation is not a new one"));
        }
        if self.is_over(place) {
            return; // For all others it is not bound any more.
        }
        let spans = self.unbound.entry(place.number).or_default();
        if let Some(span) = spans.last_mut() {
            span.to = span.to.min(now);
        }
    }

    pub(super) fn life_over(&mut self, vm: u32, incarnation: u32) {
        self.lives_over.insert((vm, incarnation));
    }

    /// The node of a life has lost its lease.
    pub(super) fn lapsed(&mut self, vm: u32, incarnation: u32) {
        self.life_over(vm, incarnation);
        self.lapsed.insert((vm, incarnation));
    }

    pub(super) fn is_lapsed(&self, life: (u32, u32)) -> bool {
        self.lapsed.contains(&life)
    }

    pub(super) fn is_over(&self, place: Place) -> bool {
        self.lives_over.contains(&(place.vm, place.incarnation))
    }

    pub(super) fn is_life_over(&self, life: (u32, u32)) -> bool {
        self.lives_over.contains(&life)
    }

    pub(super) fn trouble(&mut self, from: u64, to: u64) {
        self.troubles.push(Span { from, to });
    }

    /// A machine stands still from now on.
    pub(super) fn stands(&mut self, vm: u32, now: u64) {
        self.moved.insert(vm);
        self.standing.insert(vm, self.troubles.len());
        self.trouble(now, u64::MAX);
    }

    /// It goes on, or is dead.
    pub(super) fn goes_on(&mut self, vm: u32, now: u64) {
        let index = self.standing.remove(&vm);
        if let Some(span) = index.and_then(|it| self.troubles.get_mut(it)) {
            span.to = now + self.lag;
        }
    }

    pub(super) fn has_moved(&self, vm: u32) -> bool {
        self.moved.contains(&vm)
    }

    /// Whether something was out of reach then.
    pub(super) fn had_trouble(&self, from: u64, to: u64) -> bool {
        self.troubles
            .iter()
            .any(|span| span.from <= to && span.to >= from)
    }

    /// Whether the number was not bound for all of that time and what a guest may have remembered.
    pub(super) fn was_unbound(&self, number: Number, from: u64, to: u64) -> bool {
        let mut from = from.saturating_sub(self.lag);
        for span in self.troubles.iter().rev() {
            if span.to >= from && span.from < from {
                from = span.from.saturating_sub(self.lag);
            }
        }
        let spans = self.unbound.get(&number).map_or(&[][..], Vec::as_slice);
        spans.is_empty() || spans.iter().any(|it| it.from <= to && it.to >= from)
    }

    pub(super) fn is_newest(&self, number: Number, generation: u32) -> bool {
        self.generations.get(&number) == Some(&generation)
    }

    /// A message is about to be sent; gives its name and what is in it.
    pub(super) fn send(&mut self, way: Way, from: Place, to: Number, re: Serial) -> Serial {
        self.messages.push(Message {
            way,
            from,
            to,
            re,
            ended: None,
            gave_up: false,
            killed: false,
            received: None,
        });
        self.messages.len() as Serial
    }

    pub(super) fn message(&self, serial: Serial) -> Option<&Message> {
        let index = usize::try_from(serial).ok()?.checked_sub(1)?;
        self.messages.get(index)
    }

    pub(super) fn message_mut(&mut self, serial: Serial) -> Option<&mut Message> {
        let index = usize::try_from(serial).ok()?.checked_sub(1)?;
        self.messages.get_mut(index)
    }

    fn notes_of(&mut self, from: Place, to: Number) -> &mut Notes {
        let key = (from.number, from.generation, to);
        self.notes.entry(key).or_default()
    }

    /// Somebody is about to be notified.
    pub(super) fn notifies(&mut self, from: Place, to: Number) {
        self.notes_of(from, to).sent += 1;
    }

    /// The notification begun at that time was accepted.
    pub(super) fn notified(&mut self, from: Place, to: Number, started: u64) {
        self.notes_of(from, to).last_sent = started;
    }

    fn note_received(&mut self, by: Place, outcome: &Outcome, now: u64) {
        let key = (by.peer(outcome), outcome.from.gen_, by.number);
        let notes = self.notes.entry(key).or_default();
        notes.received += 1;
        notes.last_received = now;
        if notes.received > notes.sent {
            let notes = *notes;
            self.wrong(format!("{key:?}: notifications out of nothing: {notes:?}"));
        }
    }

    /// A receive has ended well; gives the message's name, 0 for a notification.
    pub(super) fn received(&mut self, by: Place, outcome: &Outcome, now: u64) -> Serial {
        if outcome.kind == Kind::Notify {
            self.note_received(by, outcome, now);
            return 0;
        }
        let Some(serial) = self.taken(by, outcome, now) else {
            return 0;
        };
        let key = (
            by.peer(outcome),
            outcome.from.gen_,
            by.number,
            by.generation,
        );
        let last = self.last.insert(key, serial).unwrap_or(0);
        if last >= serial {
            self.wrong(format!("{serial} came to {by:?} after {last}"));
        }
        serial
    }

    /// A sendrec has ended well, and what came is its answer.
    pub(super) fn answered(&mut self, by: Place, request: Serial, outcome: &Outcome, now: u64) {
        let Some(serial) = self.taken(by, outcome, now) else {
            return;
        };
        let Some(answer) = self.message(serial).cloned() else {
            return;
        };
        let Some(asked) = self.message(request) else {
            return;
        };
        // A send is the answer to the oldest request that its sender has open.
        let fits = answer.way == Way::Send || answer.re == request;
        if !fits || asked.received.map(|(_, server)| server) != Some(answer.from) {
            self.wrong(format!("{request} was answered by {serial}: {answer:?}"));
        }
    }

    /// Whatever way a message came: the first time, unspoilt, to the right one, in time.
    fn taken(&mut self, by: Place, outcome: &Outcome, now: u64) -> Option<Serial> {
        let serial = read(&outcome.data);
        let Some(message) = serial.and_then(|it| self.message_mut(it)) else {
            self.wrong(format!("{by:?} got what nobody sent: {outcome:?}"));
            return None;
        };
        let before = message.received.replace((now, by));
        let message = message.clone();
        let serial = serial?;
        let from = (message.from.number, message.from.generation);
        let rightly = message.to == by.number && from == (by.peer(outcome), outcome.from.gen_);
        if let Some(before) = before {
            self.wrong(format!(
                "{serial} came twice, before at {before:?}: {message:?}"
            ));
        } else if !rightly {
            self.wrong(format!(
                "{serial} came from the wrong or to the wrong one: {message:?}"
            ));
        } else if content(serial, message.re) != outcome.data {
            self.wrong(format!("{serial} came spoilt: {outcome:?}"));
        }
        Some(serial)
    }
}

/// What a message consists of: its name, what it answers, and a filling.
pub(super) fn content(serial: Serial, re: Serial) -> Vec<u8> {
    let mut data = Vec::with_capacity(MAX_MESSAGE);
    data.extend(serial.to_le_bytes());
    data.extend(re.to_le_bytes());
    let room = (MAX_MESSAGE - data.len()) as u64;
    let filling = (0..serial * 37 % (room + 1)).map(|i| (serial + i).to_le_bytes()[0]);
    data.extend(filling);
    data
}

fn read(data: &[u8]) -> Option<Serial> {
    data.first_chunk()
        .map(|bytes| Serial::from_le_bytes(*bytes))
}
