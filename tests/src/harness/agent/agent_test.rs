use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use super::*;

const LIMIT: Duration = Duration::from_secs(10);

/// An agent that says `script` once it was told something and goes, and a connection to it.
fn agent(script: &'static str) -> (Agent, tempfile::TempDir) {
    agent_then(script, drop)
}

fn agent_then(script: &'static str, then: fn(UnixStream)) -> (Agent, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).expect("listens");
    thread::spawn(move || {
        let (mut line, _) = listener.accept().expect("accepts");
        line.write_all(b"! 6.1\n").expect("writes");
        let mut told = String::new();
        BufReader::new(line.try_clone().expect("cloned"))
            .read_line(&mut told)
            .expect("reads");
        line.write_all(script.as_bytes()).expect("writes");
        then(line);
    });
    (Agent::connect(&socket, LIMIT).expect("connects"), dir)
}

#[test]
fn a_command_runs() {
    let (mut agent, _dir) = agent("noise\n1 o a b\n2 o other\n1 e c\r\n1 x 3\n");
    assert_eq!(agent.wait_ready(LIMIT).expect("ready"), "6.1");
    let output = agent
        .start("ls")
        .expect("starts")
        .finish(LIMIT)
        .expect("ends");
    assert_eq!(
        output,
        Output {
            out: vec!["a b".into()],
            err: vec!["c".into()],
            code: 3
        }
    );
    assert!(output.success().is_err());
}

#[test]
fn a_line_is_waited_for() {
    let (mut agent, _dir) = agent("1 o a\n1 o n=7\n1 o b\n1 x 0\n");
    let mut task = agent.start("ls").expect("starts");
    let n: i32 = task
        .wait_line(LIMIT, |line| line.strip_prefix("n=")?.parse().ok())
        .expect("found");
    assert_eq!(n, 7);
    assert_eq!(task.finish(LIMIT).expect("ends").out, ["a", "n=7", "b"]);
}

#[test]
fn a_command_that_ends_early_and_a_guest_that_goes_are_told() {
    let (mut early, _dir) = agent("1 e bad\n1 x 1\n");
    let mut task = early.start("ls").expect("starts");
    let error = task.wait_line(LIMIT, |_| None::<()>).expect_err("ended");
    assert!(error.to_string().contains("ended with 1: bad"), "{error}");

    let (mut gone, _dir) = agent("1 o a\n");
    let error = gone
        .start("ls")
        .expect("starts")
        .finish(LIMIT)
        .expect_err("gone");
    assert!(
        error
            .to_string()
            .contains("the guest has gone, or has begun anew; so far a"),
        "{error}"
    );
}

#[test]
fn a_guest_that_begins_anew_ends_what_ran_in_it() {
    // The line stays open: its other end lasts as long as the test.
    let (mut agent, _dir) = agent_then("1 o a\n! 6.1\n", |mut line| {
        line.read_to_end(&mut Vec::new()).ok();
    });
    agent.wait_ready(LIMIT).expect("ready");
    let task = agent.start("ls").expect("starts");
    let error = task.finish(LIMIT).expect_err("begun anew");
    assert!(error.to_string().contains("so far a"), "{error}");
    assert!(!error.is::<Late>());
    agent.wait_ready(LIMIT).expect("ready again");
}

#[test]
fn waiting_is_bounded_and_commands_are_one_line() {
    let (mut agent, _dir) = agent("");
    assert!(agent.start("a\nb").is_err());
    assert!(agent.start(&"x".repeat(MAX_COMMAND + 1)).is_err());
    assert!(Agent::connect(Path::new("/nonexistent"), Duration::ZERO).is_err());
}
