use super::*;

#[test]
fn a_line_for_each_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let mut monitor = Monitor::open(&path).unwrap();
    monitor.tell("vm", "booted", Value::Null);
    monitor.tell("vm", "migration", json!({"state": "precopy"}));
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["event"], "booted");
    assert!(lines[0]["timestamp"]["nanos"].is_u64());
    assert_eq!(lines[1]["properties"]["state"], "precopy");
}

#[test]
fn a_fifo_that_nobody_reads_is_refused_and_one_that_is_full_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    assert!(Monitor::open(&path).is_err());
    let reader = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .unwrap();
    let mut monitor = Monitor::open(&path).unwrap();
    for _ in 0..2000 {
        monitor.tell("vm", "paused", Value::Null);
    }
    drop(reader);
}
