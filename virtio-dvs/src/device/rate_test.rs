use super::*;

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_burst_and_then_the_rate() {
    let mut bucket = Bucket::new(1000, at(5));
    for _ in 0..100 {
        bucket.take(at(5)).unwrap();
    }
    assert_eq!(bucket.take(at(5)), Err(at(6)));
    bucket.take(at(6)).unwrap();
    assert_eq!(bucket.take(at(6)), Err(at(7)));
    for _ in 0..10 {
        bucket.take(at(16)).unwrap();
    }
    assert_eq!(bucket.take(at(16)), Err(at(17)));
    // A long pause fills the bucket and no more.
    let taken = (0..1000).filter(|_| bucket.take(at(1_000_000)).is_ok());
    assert_eq!(taken.count(), 100);
}

#[test]
fn over_any_time_the_rate_holds() {
    let mut bucket = Bucket::new(7, at(0));
    let taken = (0..100_000).filter(|&now| bucket.take(at(now)).is_ok());
    let expected = 7 * 100 + usize::try_from(BURST_MIN).unwrap();
    assert!((expected - 1..=expected).contains(&taken.count()));
}

#[test]
fn time_that_stands_still_or_goes_back_gives_nothing() {
    let mut bucket = Bucket::new(1, at(100));
    for _ in 0..BURST_MIN {
        bucket.take(at(100)).unwrap();
    }
    assert_eq!(bucket.take(at(50)), Err(at(1100)));
    assert_eq!(bucket.take(at(100)), Err(at(1100)));
    bucket.take(at(1100)).unwrap();
}
