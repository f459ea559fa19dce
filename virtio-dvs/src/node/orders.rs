//! Endpoints that are moved from outside: docs/endpoint-migration.md.

use crate::device::remote::{Stopped, reply};
use crate::node::control::{EndpointMove, EndpointMoved, MoveStep};
use crate::node::join::random;
use crate::node::service::{Control, NodeError};
use crate::switch::{Order, OrderKind, Ordered};
use std::ops::RangeInclusive;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// How long a step may take, in milliseconds.
const STEP_MS: RangeInclusive<u64> = 1..=600_000;

/// How long a guest has to give a step up.
const GIVE_UP_TIME: Duration = Duration::from_secs(1);

impl Control {
    /// Has the guest of an endpoint do a step of its move.
    pub fn move_endpoint(&self, step: &EndpointMove) -> Result<EndpointMoved, NodeError> {
        let order = order(step)?;
        let id = unguessable()?;
        let (done, receiver) = reply::<Ordered>();
        let node = &self.remote;
        node.run(move |worker| worker.fabric().order(id, order, done))?;
        let mut ordered = receiver.recv_timeout(Duration::from_millis(step.timeout_ms));
        if ordered == Err(RecvTimeoutError::Timeout) {
            node.run(move |worker| worker.fabric().cancel_order(id))?;
            ordered = receiver.recv_timeout(GIVE_UP_TIME);
        }
        match ordered {
            Ok(ordered) => {
                let token = ordered?.map(|token| format!("{:016x}", token.0));
                Ok(EndpointMoved { token })
            }
            Err(RecvTimeoutError::Timeout) => {
                node.run(move |worker| worker.fabric().forget_order(id))?;
                Err(NodeError::Silent)
            }
            Err(RecvTimeoutError::Disconnected) => Err(Stopped.into()),
        }
    }
}

fn order(step: &EndpointMove) -> Result<Order, NodeError> {
    if !STEP_MS.contains(&step.timeout_ms) {
        return Err(NodeError::Step("timeout_ms must be 1 to 600000"));
    }
    let kind = match step.step {
        MoveStep::Commit => OrderKind::Commit { vm: step.vm },
        _ if step.vm != 0 => return Err(NodeError::Step("\"vm\" is for a commit only")),
        MoveStep::Start => OrderKind::Start,
        MoveStep::Rollback => OrderKind::Rollback,
    };
    Ok(Order {
        dcid: step.dcid,
        number: step.endpoint,
        kind,
    })
}

/// A number that nobody guesses, and not 0.
fn unguessable() -> Result<u64, NodeError> {
    loop {
        match u64::from_ne_bytes(random()?) {
            0 => {}
            number => return Ok(number),
        }
    }
}
