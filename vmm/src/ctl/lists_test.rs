use serde_json::json;

use super::*;

/// Cells of each line; no cell has two spaces in it.
fn cells(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .collect()
        })
        .collect()
}

#[test]
fn vms_show_how_far_they_are() {
    let vm = |vm: u32, connected: bool, running: bool| {
        json!({
            "vm": vm, "dcid": 2, "dc": {"name": "shop"}, "admin": running, "connected": connected,
            "running": running, "endpoints": 3, "socket": "/run/vm.sock",
            "limits": {"max_endpoints": 256, "max_peers": 32, "rate": 1000},
        })
    };
    let shown = vms(&json!([
        vm(1, false, false),
        vm(2, true, false),
        vm(3, true, true)
    ]));
    let lines = cells(&shown);
    assert_eq!(
        lines[1][..6],
        ["1", "2", "shop", "attached", "-", "3 of 256"]
    );
    assert_eq!(lines[2][3], "connected");
    assert_eq!(
        lines[3][3..],
        [
            "running",
            "-",
            "3 of 256",
            "32",
            "1000",
            "yes",
            "/run/vm.sock"
        ]
    );
    assert_eq!(vms(&json!([])), "none\n");
}

#[test]
fn nodes_and_links() {
    let shown = nodes(&json!([{"nodeid": 2, "address": "[fd00::2]:9462", "alive": false}]));
    assert_eq!(cells(&shown)[1], ["2", "[fd00::2]:9462", "no", "-"]);
    let link = json!({
        "node": 2, "address": "[fd00::2]:9462", "state": "up", "since_ms": 1500,
        "dialled_by_us": true, "tls": true, "version": 1, "frames_in": 4, "frames_out": 5,
        "bytes_in": 400, "bytes_out": 500, "dropped": 0, "rtt_us": 210,
    });
    let shown = links(&json!([link]));
    assert_eq!(
        cells(&shown)[1],
        [
            "2",
            "[fd00::2]:9462",
            "up",
            "1500",
            "yes",
            "yes",
            "1",
            "4 in, 5 out",
            "400 in, 500 out",
            "0",
            "210",
            "-"
        ]
    );
}
