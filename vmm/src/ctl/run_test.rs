use clap::Parser;

use super::*;

fn cli(args: &[&str]) -> Cli {
    Cli::try_parse_from(std::iter::once("dvsctl").chain(args.iter().copied())).unwrap()
}

fn error(args: &[&str]) -> String {
    run(&cli(args), &mut Vec::new()).unwrap_err().to_string()
}

#[test]
fn a_missing_socket_says_which_flag() {
    assert!(error(&["vm", "info"]).contains("--api-socket"));
    assert!(error(&["ports"]).contains("--node"));
}

#[test]
fn an_absent_server_is_named() {
    let text = error(&["--node", "/nowhere/node.sock", "ports"]);
    assert!(text.contains("/nowhere/node.sock"), "{text}");
}

#[test]
fn a_wrong_configuration_is_named() {
    let text = error(&["--api-socket", "/a", "vm", "create", "/nowhere/vm.json"]);
    assert!(text.contains("/nowhere/vm.json"), "{text}");
}

#[test]
fn limits_are_sent_only_where_given() {
    let attach = |args: &[&str]| match cli(args).command {
        Command::Attach(attach) => attributes(&attach),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        attach(&["attach", "--vm", "7"]),
        json!({"vm": 7, "dcid": 0})
    );
    assert_eq!(
        attach(&["attach", "--vm", "7", "--dcid", "2", "--rate", "9"]),
        json!({"vm": 7, "dcid": 2, "limits": {"rate": 9}})
    );
    assert_eq!(
        attach(&["attach", "--vm", "7", "--admin"]),
        json!({"vm": 7, "dcid": 0, "admin": true})
    );
}

#[test]
fn certificates_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let mut out = Vec::new();
    run(&cli(&["pki", "ca", "--dir", dir]), &mut out).unwrap();
    let node = ["pki", "node", "--dir", dir, "--id", "7"];
    let with_host = [&node[..], &["--host", "192.0.2.1", "--json"]].concat();
    let mut out = Vec::new();
    run(&cli(&with_host), &mut out).unwrap();
    let made: Value = serde_json::from_slice(&out).unwrap();
    let key = folder.path().join("node-7.key");
    assert_eq!(made["key"], json!(key));
    assert!(key.exists());
    assert!(error(&node).contains("node-7"));
    assert!(error(&["pki", "ca", "--dir", dir]).contains("exists"));
}

#[test]
fn completion_knows_the_commands() {
    let mut out = Vec::new();
    run(&cli(&["completion", "bash"]), &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("power-button"));
}

#[test]
fn the_node_answers_in_tables_and_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let api = folder.path().join("node.sock");
    let node = virtio_dvs::node::NodeConfig {
        api_socket: Some(api.clone()),
        run_dir: Some(folder.path().to_owned()),
        ..Default::default()
    };
    let _node = virtio_dvs::node::Node::start(node).unwrap();
    let ask = |args: &[&str]| {
        let mut out = Vec::new();
        let args = [&["--node", api.to_str().unwrap()], args].concat();
        run(&cli(&args), &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    assert!(
        ask(&["attach", "--vm", "3", "--dcid", "1"])
            .unwrap()
            .contains("vm-3.sock")
    );
    assert!(ask(&["attach", "--vm", "0"]).is_err());
    ask(&["attach", "--vm", "4", "--admin"]).unwrap();
    let ports: Value = serde_json::from_str(&ask(&["ports", "--json"]).unwrap()).unwrap();
    assert_eq!((&ports[0]["vm"], &ports[0]["dcid"]), (&json!(3), &json!(1)));
    let admins = (&ports[0]["admin"], &ports[1]["admin"]);
    assert_eq!(admins, (&json!(false), &json!(true)));
    let shown = ask(&["vms"]).unwrap();
    assert!(shown.starts_with("vm  dc  name  state     life"), "{shown}");
    assert_eq!(ask(&["ports"]).unwrap(), shown);
    assert_eq!(ask(&["nodes"]).unwrap(), "none\n");
    assert_eq!(ask(&["links", "--json"]).unwrap(), "[]\n");
    assert_eq!(ask(&["endpoints"]).unwrap(), "none\n");
    assert!(ask(&["counters"]).unwrap().contains("vm"));
    assert!(ask(&["info"]).unwrap().contains("max_vms"));
    let top = ask(&["top", "--once", "--interval", "0.1"]).unwrap();
    assert!(
        top.contains("frames in/s") && top.contains("event loop"),
        "{top}"
    );
    let top: Value =
        serde_json::from_str(&ask(&["top", "--once", "--interval", "0.1", "--json"]).unwrap())
            .unwrap();
    assert_eq!(top["vms"][0]["vm"], 3);
    let none = ask(&["trace", "20", "--time", "0.1"]).unwrap();
    assert!(none.contains("no frame was seen"), "{none}");
    assert!(ask(&["trace", "20", "--count", "0"]).is_err());
    assert!(ask(&["ping"]).unwrap().contains("version"));
    assert_eq!(ask(&["detach", "--vm", "3"]).unwrap(), "");
    assert!(ask(&["detach", "--vm", "3"]).is_err());
}

#[test]
fn only_a_trace_takes_several_nodes() {
    let nodes = ["--node", "/nowhere/a", "--node", "/nowhere/b"];
    let text = error(&[&nodes[..], &["vms"]].concat());
    assert!(text.contains("asks one node"), "{text}");
    let text = error(&[&nodes[..], &["trace", "-2"]].concat());
    assert!(text.contains("/nowhere/a"), "{text}");
    let both = cli(&["--node", "/a,/b", "trace", "1"]).node;
    assert_eq!(both, [PathBuf::from("/a"), PathBuf::from("/b")]);
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    run(
        &cli(&["man", folder.path().to_str().unwrap()]),
        &mut Vec::new(),
    )
    .unwrap();
    for page in ["dvsctl.1", "dvsctl-top.1", "dvsctl-vm-boot.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}

#[test]
fn intervals_have_limits() {
    let refused = |text| Cli::try_parse_from(["dvsctl", "top", "--interval", text]).is_err();
    assert!(refused("0") && refused("nan") && refused("1e9") && refused("-1"));
    assert!(!refused("0.5"));
}

#[test]
fn a_step_of_an_endpoint_is_read() {
    let step = |args: &[&str]| match cli(args).command {
        Command::Endpoint(EndpointCommand::Commit { step, vm }) => {
            (step.endpoint, step.dcid, step.timeout.as_millis(), vm)
        }
        other => panic!("{other:?}"),
    };
    let commit = ["endpoint", "commit", "-3", "--dcid", "1"];
    assert_eq!(step(&commit), (-3, 1, 10_000, 0));
    let more = [&commit[..], &["--vm", "2", "--timeout", "0.5"]].concat();
    assert_eq!(step(&more), (-3, 1, 500, 2));
    let args = ["dvsctl", "endpoint", "start", "5", "--timeout", "601"];
    let wrong = Cli::try_parse_from(args).unwrap_err().to_string();
    assert!(wrong.contains("0.1 to 600"), "{wrong}");
    let text = error(&["--node", "/nowhere/node.sock", "endpoint", "rollback", "5"]);
    assert!(text.contains("/nowhere/node.sock"), "{text}");
}
