use super::*;
use crate::node::{Node, NodeConfig};
use crate::vm::VmAttributes;
use std::collections::BTreeSet;

/// What a node with one VM says.
fn text() -> String {
    let node = Node::start_loop(NodeConfig::default()).unwrap();
    node.control().add_port(VmAttributes::new(7, 0)).unwrap();
    node.control().metrics().text().unwrap()
}

#[test]
fn vms_are_counted_by_state() {
    let text = text();
    for line in [
        "dvs_node_vms{state=\"attached\"} 1.0",
        "dvs_node_vms{state=\"connected\"} 0.0",
        "dvs_node_backlog{kind=\"messages\"} 0.0",
        "dvs_port_frames_total{vm=\"7\",direction=\"in\"} 0",
        "dvs_port_kicks_total{vm=\"7\",queue=\"msg_tx\"} 0",
        "dvs_port_endpoints{vm=\"7\"} 0.0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
    assert!(text.contains("dvs_node_build_info{version=\""));
}

#[test]
fn every_counter_of_a_port_has_a_metric() {
    let text = text();
    let counters = serde_json::to_value(PortCounters::default()).unwrap();
    for name in counters.as_object().unwrap().keys() {
        let metric = match name.as_str() {
            "frames_in" | "frames_out" => "frames",
            "bytes_in" | "bytes_out" => "bytes",
            "calls" => "interrupts",
            other => other,
        };
        let line = format!("# TYPE dvs_port_{metric} counter\n");
        assert!(text.contains(&line), "{name}");
    }
}

#[test]
fn a_node_that_has_stopped_gives_no_figures() {
    let node = Node::start_loop(NodeConfig::default()).unwrap();
    let metrics = node.control().metrics();
    drop(node);
    assert!(metrics.text().is_err());
}

/// Metrics of the node that the dashboard asks for.
fn asked_for() -> BTreeSet<String> {
    let text = include_str!("../../../resources/grafana/dvs.json");
    let board: serde_json::Value = serde_json::from_str(text).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|it| it["targets"].as_array());
    let queries = targets.flatten().map(|it| it["expr"].as_str().unwrap());
    let word = |it: char| !it.is_ascii_alphanumeric() && it != '_';
    let words = queries.flat_map(|it| it.split(word));
    let ours = |it: &&str| it.starts_with("dvs_") && !it.starts_with("dvs_vmm_");
    words.filter(ours).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_there() {
    let text = text();
    let asked = asked_for();
    assert!(asked.len() > 5);
    for name in asked {
        let family = name.strip_suffix("_total").unwrap_or(&name);
        let kind = if family == name { "gauge" } else { "counter" };
        let line = format!("# TYPE {family} {kind}\n");
        assert!(text.contains(&line), "{name} is not exposed");
    }
}
