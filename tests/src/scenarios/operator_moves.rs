//! A process that knows nothing of moves, whose endpoint an operator of the host moves.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use virtio_dvs::node::control::EndpointMoved;

use super::DCID;
use super::actor::Actor;
use crate::harness::{COMMAND_LIMIT, Guest, Host, Lab, Program};

/// The endpoint that is moved, and who calls it.
const MOVED: i32 = 11;
const CALLER: i32 = 40;

/// The operator begins to move an endpoint whose process waits in a receive, takes it back, begins anew, and
/// lets it go to a process of the second guest; whoever calls it meanwhile only waits.
pub fn operator_moves(lab: &Lab, host: &Host, guests: &mut [Guest]) -> Result<()> {
    let [first, second, third, ..] = guests else {
        anyhow::bail!("three guests are needed");
    };
    let mut old = Actor::start(first, MOVED, "receive answer:one receive")?;
    let start = format!("start {MOVED}");
    let token = dvsctl(lab, host, &start)?.token;
    let token = token.context("a start tells no token")?;
    let again = dvsctl(lab, host, &start)?.token;
    ensure!(again == Some(token), "a second start tells {again:?}");
    let calls = format!("sendrec:{MOVED}:a sendrec:{MOVED}:b");
    let mut caller = Actor::start(third, CALLER, &calls)?;
    dvsctl(lab, host, &format!("rollback {MOVED}"))?;
    old.expect_all(&[
        &format!("receive: request a from {CALLER}"),
        "answer one: ok",
    ])?;
    caller.expect(&format!("sendrec a to {MOVED}: reply one from {MOVED}"))?;
    old.expect(&format!("receive: request b from {CALLER}"))?;
    old.end()?;
    caller.next().context("its server has left")?;
    caller.end()?;
    lab.say("an operator began to move an endpoint, and took it back");
    let mut old = Actor::start(first, MOVED, "receive")?;
    let token = dvsctl(lab, host, &start)?.token;
    let token = token.context("a start tells no token")?;
    let mut caller = Actor::start(third, CALLER + 1, &format!("sendrec:{MOVED}:c"))?;
    let mut new = Actor::adopt(second, MOVED, &token, "receive answer:two")?;
    dvsctl(lab, host, &format!("commit {MOVED} --vm 2"))?;
    new.begun()?;
    new.expect_all(&[
        &format!("receive: request c from {}", CALLER + 1),
        "answer two: ok",
    ])?;
    caller.expect(&format!("sendrec c to {MOVED}: reply two from {MOVED}"))?;
    old.expect("receive: -332")?;
    lab.say("an operator moved it to another guest, while it was called");
    [old, new, caller].into_iter().try_for_each(Actor::end)
}

/// A step that the node's guest must carry out.
fn dvsctl(lab: &Lab, host: &Host, step: &str) -> Result<EndpointMoved> {
    let mut command = Command::new(lab.settings().program("dvsctl"));
    command.arg("--node").arg(host.control()).arg("--json");
    command.args(["endpoint"]).args(step.split(' '));
    command.args(["--dcid", &DCID.to_string()]);
    let program = Program::start("dvsctl endpoint", command, &lab.log("dvsctl-endpoint"))?;
    let said = program.finish(COMMAND_LIMIT)?.join("\n");
    serde_json::from_str(&said).with_context(|| format!("dvsctl endpoint {step}: {said}"))
}
