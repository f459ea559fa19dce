use super::*;
use serde_json::{Value, json};

fn some() -> Progress {
    let mut progress = Progress::new(Side::Source, 7);
    progress.state = State::SwitchOver;
    progress.expected_downtime = Some(Duration::from_micros(41_238));
    progress.downtime_parts.pause = Some(Duration::from_micros(1_500));
    progress.downtime_parts.drain = Some(Duration::from_micros(2_250));
    progress.error = Some("the node of the destination has gone".into());
    progress
}

#[test]
fn names_and_units_are_those_of_the_api() {
    let json = serde_json::to_value(some()).unwrap();
    assert_eq!(json["side"], json!("source"));
    assert_eq!(json["state"], json!("switch_over"));
    assert_eq!(json["compression"], json!("none"));
    assert_eq!(json["expected_downtime_ms"], json!(41.238));
    assert_eq!(json["downtime_parts"]["pause_ms"], json!(1.5));
    assert_eq!(json["downtime_parts"]["commit_ms"], Value::Null);
    assert!(json.get("blocked_by").is_none());
}

#[test]
fn it_can_be_read_back() {
    let text = serde_json::to_string(&some()).unwrap();
    assert_eq!(serde_json::from_str::<Progress>(&text).unwrap(), some());
    let negative = text.replace("41.238", "-1.0");
    assert!(serde_json::from_str::<Progress>(&negative).is_err());
}

#[test]
fn the_parts_make_up_the_downtime() {
    assert_eq!(some().downtime_parts.sum(), Duration::from_micros(3_750));
}
