use super::*;

#[test]
fn a_pace_is_kept_and_not_made_good() {
    let start = Instant::now();
    let mut pace = Pace {
        per_second: 1000,
        done: start,
    };
    assert_eq!(pace.due(start + Duration::from_micros(500)), 0);
    assert_eq!(pace.due(start + Duration::from_millis(10)), 10);
    assert_eq!(pace.due(start + Duration::from_secs(5)), 20);
    assert_eq!(pace.due(start + Duration::from_millis(5003)), 3);
}
