use super::*;

fn record(time_ns: u64, at: &str, vm: u32, peer: u32, kind: &str, op: &str) -> TraceRecord {
    TraceRecord {
        time_ns,
        at: at.to_owned(),
        reason: (at == "dropped").then(|| "no_room".to_owned()),
        vm,
        peer,
        kind: kind.to_owned(),
        caller: 1,
        op: op.to_owned(),
        seq: 4,
        src_ep: 10,
        dst_ep: 20,
        result: 0,
    }
}

fn trace(nodeid: u32, records: Vec<TraceRecord>) -> Trace {
    Trace {
        nodeid,
        full: false,
        records,
    }
}

#[test]
fn a_call_on_one_node_is_a_timeline() {
    let trace = trace(
        3,
        vec![
            record(5_000_000, "from_guest", 1, 2, "REQ", "0x7"),
            record(5_001_250, "to_guest", 2, 1, "REQ", "0x7"),
            record(5_002_000, "dropped", 1, 2, "MSG", "0x8"),
            record(5_101_250, "from_guest", 2, 1, "RPL", "0x7"),
        ],
    );
    let expected = "\
call 0x7 of VM 1
             -  node 3  REQ 10 > 20, seq 4: from VM 1
     +1.250 us  node 3  REQ 10 > 20, seq 4: to VM 2
   +100.000 us  node 3  RPL result 0, seq 4: from VM 2
call 0x8 of VM 1
             -  node 3  MSG 10 > 20, seq 4: dropped (no_room), for VM 2
";
    assert_eq!(render(&[trace]), expected);
}

#[test]
fn frames_order_what_clocks_do_not() {
    // The second node's clock is far behind.
    let client = trace(
        1,
        vec![
            record(9_000, "from_guest", 1, 2, "REQ", "0x7"),
            record(9_500, "to_link", 1, 2, "REQ", "0x7"),
            record(99_000, "from_link", 1, 2, "RPL", "0x7"),
            record(99_100, "to_guest", 1, 2, "RPL", "0x7"),
        ],
    );
    let server = trace(
        2,
        vec![
            record(10, "from_link", 2, 1, "REQ", "0x7"),
            record(20, "to_guest", 2, 1, "REQ", "0x7"),
            record(500, "from_guest", 2, 1, "RPL", "0x7"),
            record(600, "to_link", 2, 1, "RPL", "0x7"),
        ],
    );
    let expected = "\
call 0x7 of VM 1
             -  node 1  REQ 10 > 20, seq 4: from VM 1
     +0.500 us  node 1  REQ 10 > 20, seq 4: to the link, for VM 2
             -      node 2  REQ 10 > 20, seq 4: from the link, of VM 1
     +0.010 us      node 2  REQ 10 > 20, seq 4: to VM 2
     +0.480 us      node 2  RPL result 0, seq 4: from VM 2
     +0.100 us      node 2  RPL result 0, seq 4: to the link, for VM 1
    +89.500 us  node 1  RPL result 0, seq 4: from the link, of VM 2
     +0.100 us  node 1  RPL result 0, seq 4: to VM 1
";
    assert_eq!(render(&[client.clone(), server.clone()]), expected);
    // In whatever order the nodes are named.
    assert_eq!(render(&[server, client]), expected);
}

#[test]
fn nodes_that_tell_what_cannot_be_are_shown_all_the_same() {
    let of = |node, first: &str, second: &str| {
        trace(
            node,
            vec![
                record(1, "from_link", 1, 2, first, "0x7"),
                record(2, "to_link", 1, 2, second, "0x7"),
            ],
        )
    };
    let shown = render(&[of(1, "REQ", "RPL"), of(2, "RPL", "REQ")]);
    assert_eq!(shown.lines().count(), 5, "{shown}");
}

#[test]
fn what_is_not_there_is_said() {
    assert_eq!(render(&[trace(1, Vec::new())]), "no frame was seen\n");
    let mut full = trace(1, vec![record(1, "from_guest", 1, 2, "REQ", "0x7")]);
    full.full = true;
    assert!(render(&[full]).contains("There may have been more"));
}
