use super::*;

#[test]
fn faults_cross_to_the_other_side() {
    let faults = Faults {
        lost: 1,
        duplicated: 2,
        out_of_order: u64::MAX,
        errors: 4,
    };
    assert_eq!(Faults::decode(&faults.encode()), faults);
    assert_eq!(faults.and(faults).out_of_order, u64::MAX);
}

#[test]
fn percentiles() {
    let times = Times::of((1..=101).rev().map(Duration::from_micros).collect());
    assert_eq!(
        (times.min, times.p50, times.p99, times.max),
        (1.0, 51.0, 100.0, 101.0)
    );
    let one = Times::of(vec![Duration::from_nanos(1550)]);
    assert_eq!((one.min, one.max), (1.5, 1.5));
    assert_eq!(Times::of(Vec::new()).max, 0.0);
}

#[test]
fn json_has_the_keys_that_callers_read() {
    let report = Report {
        rpcs: 1,
        faults: Faults::default(),
        rtt_us: Times::default(),
        sends: 2,
        notifies: 3,
        seconds: 0.5,
        timeline: None,
    };
    let json = serde_json::to_value(&report).unwrap();
    for key in [
        "rpcs",
        "lost",
        "duplicated",
        "out_of_order",
        "errors",
        "sends",
        "notifies",
        "seconds",
    ] {
        assert!(json.get(key).is_some(), "{key}");
    }
    for key in ["min", "p50", "p99", "max"] {
        assert!(json["rtt_us"].get(key).is_some(), "{key}");
    }
}
