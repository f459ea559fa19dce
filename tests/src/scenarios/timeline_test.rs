use super::*;

#[test]
fn the_longest_call_and_the_rate_of_a_time() {
    let told = r#"{"part_ms": 1000, "counts": [9, 10, 10, 2, 10], "max_us": [90000, 3000, 1500, 700000, 4000]}"#;
    let started = Instant::now();
    let timeline = Timeline::new(started, serde_json::from_str(told).expect("JSON"));
    let at = |ms| started + Duration::from_millis(ms);
    assert!((timeline.longest(at(1000), at(3000)) - 3.0).abs() < 1e-9);
    assert!((timeline.longest(at(3500), at(3600)) - 700.0).abs() < 1e-9);
    assert!((timeline.longest_outside(&[(at(3000), at(4000))]) - 4.0).abs() < 1e-9);
    assert!((timeline.rate(at(1000), at(3000)) - 10.0).abs() < 1e-9);
    assert_eq!(timeline.parts().count(), 5);
}
