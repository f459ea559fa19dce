use super::*;

fn counters(frames: u64, kicks: [u64; 2]) -> PortCounters {
    let kicks = ["msg_tx", "control"]
        .map(str::to_owned)
        .into_iter()
        .zip(kicks);
    PortCounters {
        frames_in: frames,
        bytes_in: frames * 80,
        kicks: kicks.collect(),
        ..PortCounters::default()
    }
}

#[test]
fn what_has_grown_is_divided_by_the_time() {
    let (before, after) = (counters(10, [1, 1]), counters(30, [2, 6]));
    let rates = Rates::between(&before, &after, Duration::from_secs(2)).unwrap();
    assert_eq!(
        (rates.frames_in, rates.bytes_in, rates.kicks),
        (10.0, 800.0, 3.0)
    );
    assert_eq!(
        (rates.frames(), rates.bytes(), rates.drops),
        (10.0, 800.0, 0.0)
    );
}

#[test]
fn counters_that_began_anew_have_no_rate() {
    let (before, after) = (counters(10, [1, 1]), counters(9, [2, 6]));
    assert_eq!(
        Rates::between(&before, &after, Duration::from_secs(2)),
        None
    );
    assert_eq!(Rates::between(&after, &before, Duration::ZERO), None);
}
