use super::*;

#[test]
fn the_part_in_which_it_ended_counts() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut timeline = Timeline::from(start);
    timeline.add(at(1), at(3));
    timeline.add(at(3), at(99));
    timeline.add(at(99), at(350));
    assert_eq!(timeline.counts, [2, 0, 0, 1]);
    assert_eq!(timeline.max_us, [96_000, 0, 0, 251_000]);
    let json = serde_json::to_value(&timeline).expect("JSON");
    assert_eq!(json["part_ms"], 100);
    assert_eq!(json.get("start"), None);
}

#[test]
fn what_lasts_too_long_counts_to_the_last_part() {
    let start = Instant::now();
    let mut timeline = Timeline::from(start);
    timeline.add(start, start + Duration::from_secs(1_000_000));
    assert_eq!(timeline.counts.len(), PARTS_MAX);
    assert_eq!(timeline.counts.last(), Some(&1));
}
