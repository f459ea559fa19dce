//! Moves of endpoints that the control API orders.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Host, Vmm};
use std::thread::{self, JoinHandle};
use virtio_dvs::frame::{Frame, VM_NODE, kind, order, result};
use virtio_dvs::node::client::ClientError;
use virtio_dvs::node::control::{EndpointMove, EndpointMoved, MoveStep};
use virtio_dvs::spec::QUEUE_MSG_TX;

fn step(step: MoveStep) -> EndpointMove {
    EndpointMove {
        dcid: 0,
        endpoint: 5,
        step,
        vm: 0,
        timeout_ms: 10_000,
    }
}

type Asked = JoinHandle<Result<EndpointMoved, ClientError>>;

fn ask(host: &Host, step: EndpointMove) -> Asked {
    let client = host.client();
    thread::spawn(move || client.move_endpoint(&step))
}

/// The next order that a guest gets.
fn order(vmm: &mut Vmm) -> Frame {
    let frame = vmm.wait_for(1)[0];
    assert_eq!(frame.kind, kind::ORDER);
    frame
}

fn answer(vmm: &mut Vmm, order: &Frame, result: i32, token: u64) {
    let mut frame = vmm.guest.frame_to(kind::ORDERED, VM_NODE, 0);
    frame.op = order.op;
    frame.result = result.into();
    frame.arg = token.into();
    vmm.guest.send(&frame, &[]).unwrap();
    vmm.kick(QUEUE_MSG_TX);
}

/// Status and sentence of a refusal.
fn refusal(asked: Result<EndpointMoved, ClientError>) -> (u16, String) {
    match asked {
        Err(ClientError::Refused { status, error }) => (status, error),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_step_goes_to_the_guest_and_back() {
    let host = Host::new();
    let mut vmm = host.vm(1);
    vmm.bind(5);
    let asked = ask(&host, step(MoveStep::Start));
    let start = order(&mut vmm);
    assert_eq!(start.arg.get(), order::START);
    assert_ne!(start.op.get(), 0);
    answer(&mut vmm, &start, result::OK, 0xfe);
    let token = asked.join().unwrap().unwrap().token;
    assert_eq!(token.as_deref(), Some("00000000000000fe"));
    let commit = EndpointMove {
        vm: 7,
        ..step(MoveStep::Commit)
    };
    let asked = ask(&host, commit);
    let commit = order(&mut vmm);
    assert_eq!(commit.arg.get(), order::COMMIT | 7 << 32);
    assert_ne!(commit.op, start.op);
    answer(&mut vmm, &commit, result::OK, 0);
    assert_eq!(asked.join().unwrap().unwrap().token, None);
    let asked = ask(&host, step(MoveStep::Rollback));
    let rollback = order(&mut vmm);
    assert_eq!(rollback.arg.get(), order::ROLLBACK);
    answer(&mut vmm, &rollback, result::EMIGRATE, 0);
    let (status, error) = refusal(asked.join().unwrap());
    assert_eq!(status, 409);
    assert!(
        error.contains("it does not move: begin with start"),
        "{error}"
    );
}

#[test]
fn a_guest_that_takes_too_long_gives_up() {
    let host = Host::new();
    let mut vmm = host.vm(1);
    vmm.bind(5);
    let soon = EndpointMove {
        timeout_ms: 1,
        ..step(MoveStep::Start)
    };
    let asked = ask(&host, soon);
    let [start, cancel] = vmm.wait_for(2)[..] else {
        panic!("an order and its end");
    };
    assert_eq!(start.arg.get(), order::START);
    assert_eq!((cancel.arg.get(), cancel.op), (order::CANCEL, start.op));
    answer(&mut vmm, &start, result::ETIMEDOUT, 0);
    let (status, error) = refusal(asked.join().unwrap());
    assert_eq!(status, 409);
    assert!(error.contains("everything is as before"), "{error}");
    // One that says nothing is not waited for.
    let asked = ask(&host, soon);
    let (status, error) = refusal(asked.join().unwrap());
    assert_eq!(status, 503);
    assert!(error.contains("has not answered in time"), "{error}");
}

#[test]
fn what_is_wrong_is_said() {
    let host = Host::new();
    let mut vmm = host.vm(1);
    vmm.bind(5);
    let elsewhere = EndpointMove {
        endpoint: 6,
        ..step(MoveStep::Start)
    };
    let (status, error) = refusal(host.client().move_endpoint(&elsewhere));
    assert_eq!(status, 404);
    assert!(error.contains("endpoint 6 of DC 0"), "{error}");
    let vm = EndpointMove {
        vm: 1,
        ..step(MoveStep::Rollback)
    };
    for timeout_ms in [0, 600_001] {
        let wrong = EndpointMove {
            timeout_ms,
            ..step(MoveStep::Start)
        };
        assert_eq!(refusal(host.client().move_endpoint(&wrong)).0, 400);
    }
    assert_eq!(refusal(host.client().move_endpoint(&vm)).0, 400);
    // The VMM leaves while its guest is asked.
    let asked = ask(&host, step(MoveStep::Start));
    order(&mut vmm);
    drop(vmm);
    let (status, error) = refusal(asked.join().unwrap());
    assert_eq!(status, 409);
    assert!(error.contains("ended its life"), "{error}");
}
