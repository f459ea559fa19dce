use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn shell(script: &str) -> (Program, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let log = dir.path().join("log");
    (Program::start("shell", command, &log).expect("starts"), dir)
}

#[test]
fn lines_come_in_order() {
    let (mut program, dir) = shell("echo one; echo two; echo apart >&2; echo three");
    program.wait_line(LIMIT, "two").expect("said");
    let said = program.finish(LIMIT).expect("ends");
    assert_eq!(said, ["one", "two", "three"]);
    let log = std::fs::read_to_string(dir.path().join("log")).expect("a log");
    assert_eq!(log, "apart\n");
}

#[test]
fn an_end_is_told() {
    let (mut program, _dir) = shell("echo one; exit 3");
    let error = program.wait_line(LIMIT, "two").expect_err("not said");
    assert_eq!(error.to_string(), "shell ended: one");
    let error = program.finish(LIMIT).expect_err("failed");
    assert!(error.to_string().contains("exit status: 3"), "{error}");
}

#[test]
fn waiting_is_bounded() {
    let (program, _dir) = shell("exec sleep 30");
    let error = program.finish(Duration::from_millis(20)).expect_err("late");
    assert!(error.is::<Late>(), "{error}");
}
