//! Who makes which calls.

use anyhow::{Result, ensure};

use crate::harness::Guest;
use crate::scenarios::actor::Actor;

/// Endpoints in the guest that moves: a server that computes, one that has taken a request, a
/// client, a server that waits, a user.
pub const SLOW: i32 = 1;
pub const HELD: i32 = 2;
const ASKING: i32 = 3;
pub const BLOCKED: i32 = 4;
pub const USER: i32 = 40;

/// All of them.
#[derive(Debug)]
pub struct Cast {
    slow: Actor,
    held: Actor,
    asking: Actor,
    blocked: Actor,
    user: Actor,
    rights: String,
    /// Two whose messages wait for the server that computes, on the old host and the new one.
    queued: [Actor; 2],
    /// Two that notify it, one of them also before.
    notifying: [Actor; 2],
    /// One whose request was taken.
    holding: Actor,
    /// The server of the client that moves.
    third: Actor,
    timed: Actor,
    hurried: Actor,
    interrupted: Actor,
    /// One that waits until the server that waits is gone.
    watching: Actor,
    newcomer: Option<Actor>,
}

impl Cast {
    /// Begins with what shall be under way when the guest moves.
    pub fn start(server: &mut Guest, clients: &mut [Guest]) -> Result<Self> {
        let [old, new, other] = clients else {
            anyhow::bail!("three clients are needed");
        };
        node(server, 1)?;
        let receives = "receive receive receive receive receive receive:now";
        let slow = Actor::start(server, SLOW, &format!("gate {receives}"))?;
        let mut held = Actor::start(server, HELD, "receive gate answer:later")?;
        let mut blocked = Actor::start(
            server,
            BLOCKED,
            "receive receive receive receive receive:now",
        )?;
        let steps = "privileges send:4:no gate privileges send:4:no";
        let mut user = Actor::start(server, USER, steps)?;
        let rights = user.told("privileges: ")?;
        user.expect("send no to 4: -102")?;

        let mut third = Actor::start(other, 17, "receive gate answer:done")?;
        let asking = Actor::start(server, ASKING, "sendrec:17:question")?;
        third.expect("receive: request question from 3")?;
        let holding = Actor::start(old, 16, "sendrec:2:ask receive:now")?;
        held.expect("receive: request ask from 16")?;

        // Who exits takes its notifications along.
        let mut notifying = [
            Actor::start(other, 13, "notify:1 gate notify:1 gate")?,
            Actor::start(old, 6, "gate notify:1 gate")?,
        ];
        let [twice, _] = &mut notifying;
        twice.expect("notify 1: ok")?;
        let queued = [
            Actor::start(old, 11, "send:1:one")?,
            Actor::start(new, 12, "send:1:two")?,
        ];
        let mut greeted = |guest: &mut Guest, ep: i32, steps: &str| -> Result<Actor> {
            let mut actor = Actor::start(guest, ep, &format!("send:4:hello {steps}"))?;
            blocked.expect(&format!("receive: message hello from {ep}"))?;
            actor.expect("send hello to 4: ok")?;
            Ok(actor)
        };
        Ok(Self {
            timed: greeted(new, 18, "gate send:4:lost:700 gate send:4:found")?,
            hurried: greeted(old, 15, "gate send:4:hurry:now")?,
            interrupted: greeted(other, 19, "gate sendrec:4:broken")?,
            watching: Actor::start(other, 14, "await-unbound:4")?,
            newcomer: None,
            slow,
            held,
            asking,
            blocked,
            user,
            rights,
            queued,
            notifying,
            holding,
            third,
        })
    }

    /// While its memory is copied: somebody comes anew (R21).
    pub fn while_copied(&mut self, clients: &mut [Guest]) -> Result<()> {
        if let [_, new, _] = clients {
            let mut newcomer = Actor::start(new, 5, "await-bound:1 send:1:three")?;
            newcomer.told("await-bound 1: ")?;
            self.newcomer = Some(newcomer);
        }
        Ok(())
    }

    /// What ends while it stands still ends at its time (R33, R34, R36), and what needs nobody
    /// there does not wait (R14, R16).
    pub fn while_it_stands_still(&mut self) -> Result<()> {
        self.timed.open()?;
        self.hurried.open()?;
        self.interrupted.open()?;
        self.third.open()?;
        for notifying in &mut self.notifying {
            notifying.open()?;
        }
        for notifying in &mut self.notifying {
            notifying.expect("notify 1: ok")?;
        }
        self.third.expect("answer done: ok")?;
        self.hurried.expect("send hurry to 4: -11")?;
        self.timed.expect("send lost to 4: -61")?;
        self.interrupted.interrupt()?;
        self.interrupted.expect("sendrec broken to 4: -4")?;
        self.still_wait()
    }

    /// Nothing has come of the move for those who only wait (R3, R9, R10, R37).
    pub fn still_wait(&mut self) -> Result<()> {
        for actor in &mut self.queued {
            actor.waits()?;
        }
        if let Some(actor) = &mut self.newcomer {
            actor.waits()?;
        }
        for actor in [&mut self.holding, &mut self.blocked, &mut self.watching] {
            actor.waits()?;
        }
        Ok(())
    }

    /// It has moved: all goes on there.
    pub fn finish(&mut self, server: &mut Guest, clients: &mut [Guest], to: u8) -> Result<()> {
        node(server, to)?;
        self.still_wait()?;
        // A client that has moved has its answer (R4, R5).
        self.asking
            .expect("sendrec question to 17: reply done from 17")?;
        // A request that was taken is answered from there, once (R11).
        self.held.open()?;
        self.held.expect("answer later: ok")?;
        self.holding
            .expect_all(&["sendrec ask to 2: reply later from 2", "receive: -11"])?;
        self.queue()?;
        // Who waits for an endpoint that was bound before finds it (R37).
        if let [.., other] = clients {
            let mut waiting = Actor::start(other, 8, "await-bound:4")?;
            waiting.told("await-bound 4: 4")?;
            waiting.end()?;
        }
        self.watching.waits()?;
        // The call in which it was goes on; what was given up has not come to it (R3, R33).
        self.timed.open()?;
        self.timed.expect("send found to 4: ok")?;
        // Privileges are those that it had (R6, R41).
        self.user.open()?;
        let rights = self.user.told("privileges: ")?;
        ensure!(rights == self.rights, "{rights} instead of {}", self.rights);
        self.user.expect("send no to 4: -102")?;
        self.blocked
            .expect_all(&["receive: message found from 18", "receive: -11"])?;
        // It has ended: now it is gone.
        self.watching.expect("await-unbound 4: ok")
    }

    /// What waits for the server that computes comes once each, notifications first (R8, R10, R14).
    fn queue(&mut self) -> Result<()> {
        self.slow.open()?;
        let mut told = |begin: &str| self.slow.told(&format!("receive: {begin}"));
        let mut notified = [told("notification from ")?, told("notification from ")?];
        notified.sort();
        ensure!(notified == ["13", "6"], "notified by {notified:?}");
        let mut early = [told("message ")?, told("message ")?];
        early.sort();
        ensure!(
            early == ["one from 11", "two from 12"],
            "first came {early:?}"
        );
        self.slow
            .expect_all(&["receive: message three from 5", "receive: -11"])?;
        for (actor, text) in self.queued.iter_mut().zip(["one", "two"]) {
            actor.expect(&format!("send {text} to 1: ok"))?;
        }
        if let Some(actor) = &mut self.newcomer {
            actor.expect("send three to 1: ok")?;
        }
        self.notifying.iter_mut().try_for_each(Actor::open)
    }

    /// Nobody has anything more to tell.
    pub fn end(self) -> Result<()> {
        let servers = [self.slow, self.held, self.asking, self.blocked, self.user];
        let clients = [self.holding, self.third, self.timed, self.hurried];
        let others = [self.interrupted, self.watching];
        servers
            .into_iter()
            .chain(clients)
            .chain(others)
            .chain(self.queued)
            .chain(self.notifying)
            .chain(self.newcomer)
            .try_for_each(Actor::end)
    }
}

/// The guest is told on which node it is (R1).
fn node(server: &mut Guest, node: u8) -> Result<()> {
    let mut actor = Actor::start(server, 7, "node")?;
    actor.expect(&format!("node: {node}"))?;
    actor.end()
}
