use super::*;

fn shell(script: &str, limit: Duration, silence: Duration) -> (Result<ExitStatus>, Vec<String>) {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    let mut lines = Vec::new();
    let status = run_lines(command, &Interrupt::default(), (limit, silence), |line| {
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
    let status = run_lines(command, &Interrupt::default(), (LONG, LONG), |_| {
        bail!("enough")
    });
    assert!(format!("{:#}", status.expect_err("ended")).contains("enough"));
}
