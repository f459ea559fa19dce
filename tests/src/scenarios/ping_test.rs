use super::*;

#[test]
fn progress_lines() {
    assert_eq!(progress_of("1200 calls, 430 calls/s"), Some((1200, 430.0)));
    assert_eq!(progress_of("sendrec failed: gone"), None);
}

#[test]
fn counters_are_differences() {
    let before = Counters {
        kicks: 5,
        interrupts: 1,
        exits: 10,
    };
    let after = Counters {
        kicks: 9,
        interrupts: 5,
        exits: 30,
    };
    let counted = after.since(before);
    assert_eq!(
        (counted.kicks, counted.interrupts, counted.exits),
        (4, 4, 20)
    );
}
