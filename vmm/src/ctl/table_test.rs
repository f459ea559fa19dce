use serde_json::json;

use super::*;

#[test]
fn objects_are_lines() {
    let text =
        render(&json!({"state": "Running", "config": {"cpus": {"boot_vcpus": 2}}, "x": null}));
    assert_eq!(
        text,
        "config.cpus.boot_vcpus  2\nstate                   Running\nx                       -\n"
    );
}

#[test]
fn lists_are_tables_with_all_columns() {
    let text = render(&json!([{"vm": 1, "dcid": 0}, {"vm": 20, "dcid": 0, "incarnation": 3}]));
    assert_eq!(text, "dcid  vm  incarnation\n0     1   -\n0     20  3\n");
    assert_eq!(render(&json!([])), "none\n");
}
