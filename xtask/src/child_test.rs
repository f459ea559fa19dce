use super::*;

fn shell(script: &str, limit: Duration, silence: Duration) -> (Result<ExitStatus>, Vec<String>) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let mut lines = Vec::new();
    let limits = Limits {
        whole: limit,
        silence,
        idle: None,
    };
    let status = run_lines(command, &Interrupt::default(), limits, |line| {
        lines.push(line.to_owned());
        Ok(())
    });
    (status, lines)
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

#[test]
fn lines_and_status_come_out() {
    let (status, lines) = shell("echo a; printf 'b\\r\\n'; exit 3", LONG, LONG);
    assert_eq!(lines, ["a", "b"]);
    assert_eq!(status.expect("ended").code(), Some(3));
}

#[test]
fn a_silent_child_is_ended() {
    let (status, _) = shell("echo a; exec sleep 30", LONG, SHORT);
    assert!(format!("{:#}", status.expect_err("ended")).contains("nothing was heard"));
}

#[test]
fn a_long_child_is_ended() {
    let (status, _) = shell("exec sleep 30", SHORT, LONG);
    assert!(format!("{:#}", status.expect_err("ended")).contains("not done"));
}

#[test]
fn an_error_of_the_reader_ends_the_child() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo a; exec sleep 30"]);
    let status = run_lines(command, &Interrupt::default(), Limits::both(LONG), |_| {
        bail!("enough")
    });
    assert!(format!("{:#}", status.expect_err("ended")).contains("enough"));
}

fn with_idle_limit(script: &str) -> Result<ExitStatus> {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let limits = Limits {
        idle: Some(SHORT),
        ..Limits::both(LONG)
    };
    run_lines(command, &Interrupt::default(), limits, |_| Ok(()))
}

#[test]
fn a_child_that_does_nothing_is_stuck() {
    let error = with_idle_limit("exec sleep 30").expect_err("ended");
    assert!(error.downcast_ref::<Stuck>().is_some(), "{error:#}");
    // Busy, if silent.
    let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    assert!(with_idle_limit(busy).expect("ended").success());
}

#[test]
fn processor_time_is_read_behind_any_name() {
    let stat = "7 (a) b) S 1 7 7 0 -1 4 0 0 0 0 250 50 0 0 20 0 1 0 9 0 0";
    assert_eq!(processor_time_in(stat), Some(Duration::from_secs(3)));
    assert_eq!(processor_time_in("7 (a) S"), None);
}
