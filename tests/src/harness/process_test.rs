use super::*;
use std::time::Instant;

fn shell(script: &str) -> (Process, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    (
        Process::start("shell", command, &dir.path().join("log")).expect("starts"),
        dir,
    )
}

#[test]
fn output_goes_to_the_log() {
    let (mut process, dir) = shell("echo out; echo err >&2; exit 3");
    assert_eq!(
        process.wait(Duration::from_secs(10)).expect("ends").code(),
        Some(3)
    );
    assert_eq!(
        fs::read_to_string(dir.path().join("log")).expect("a log"),
        "out\nerr\n"
    );
    assert_eq!(
        process.ended().expect("told"),
        Some("shell ended with exit status: 3".into())
    );
}

#[test]
fn waiting_is_bounded() {
    let (mut process, _dir) = shell("exec sleep 30");
    let error = process
        .wait(Duration::from_millis(20))
        .expect_err("still runs");
    assert!(error.to_string().contains("has not ended"), "{error}");
    assert_eq!(process.ended().expect("told"), None);
    process.kill();
    assert_eq!(
        process.ended().expect("told"),
        Some("shell was ended by signal 9".into())
    );
}

#[test]
fn activity_of_threads() {
    let account = Activity {
        time: Duration::from_nanos(1500),
        runs: 3,
    };
    assert_eq!(Activity::of("1500 7 3\n"), Some(account));
    assert_eq!(Activity::of("nonsense"), None);
    assert_eq!(account.and(account).since(account), account);
    let (process, _dir) = shell("exec sleep 30");
    // The kernel counts the time of a thread when it stops running, of which nobody is told.
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let activity = process.activity_except("vcpu").expect("counted");
        if activity.time > Duration::ZERO && activity.runs > 0 {
            break;
        }
        assert!(Instant::now() < end, "{activity:?}");
        std::thread::yield_now();
    }
    let of_others = process.activity_except("s").expect("counted");
    assert_eq!(of_others, Activity::default());
}

#[test]
fn nothing_runs_in_a_network_that_is_not_there() {
    let mut command = Command::new("true");
    enter_network(&mut command, Path::new("/run/netns/nowhere"));
    let error = command.spawn().expect_err("no such network");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
