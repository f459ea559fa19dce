use serde_json::json;

use super::*;

#[test]
fn who_waits_for_whom() {
    let privileges = json!({"level": "USER", "calls": "0x24000420", "ipc_to": "0xffff"});
    let client = json!({
        "dcid": 1, "endpoint": 40, "generation": 7, "vm": 2, "incarnation": 3,
        "privileges": privileges, "state": "SENDING RECEIVING", "receives_from": 5,
        "sends_to": 5, "queued": 0, "pid": 812, "name": "a client", "sent_local": 1,
        "sent_remote": 90, "copied_local": 0, "copied_remote": 2, "waits_for": [5, 6, 5],
        "deadlock": false,
    });
    let server = json!({
        "dcid": 0, "endpoint": -3, "generation": 9, "vm": 1, "incarnation": 1,
        "privileges": privileges, "state": "RECEIVING", "flags": "GRPLEADER",
        "receives_from": 31438, "queued": 2, "name": "", "sent_local": 0, "sent_remote": 0,
        "copied_local": 0, "copied_remote": 0, "deadlock": false,
    });
    let silent = json!({
        "dcid": 0, "endpoint": 1, "generation": 2, "vm": 1, "incarnation": 1,
        "privileges": privileges, "waits_for": [2, 1], "deadlock": true,
    });
    let shown = render(&json!([client, server, silent]));
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        lines[0],
        [
            "dc",
            "vm",
            "endpoint",
            "generation",
            "level",
            "state",
            "flags",
            "from",
            "to",
            "queued",
            "pid",
            "name",
            "sent",
            "copied",
            "waits for"
        ]
    );
    let server = [
        "0",
        "1",
        "-3",
        "9",
        "USER",
        "RECEIVING",
        "GRPLEADER",
        "ANY",
        "-",
        "2",
        "-",
    ];
    assert_eq!(lines[1][..11], server);
    assert_eq!(lines[2].last(), Some(&"2 > 1 (deadlock)"));
    assert_eq!(lines[3][5..9], ["SENDING RECEIVING", "-", "5", "5"]);
    assert_eq!(
        lines[3][9..],
        ["0", "812", "a client", "1+90", "0+2", "5 > 6 > 5"]
    );
    assert_eq!(render(&json!([])), "none\n");
}
