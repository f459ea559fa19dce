use super::super::tests::endpoint;
use super::*;

#[test]
fn a_wait_lasts_while_every_look_is_the_same() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut waits = Waits::default();
    let client = endpoint(1, 10, "SENDING RECEIVING", Some(20), 5);
    let look = |waits: &mut Waits, info: &EndpointInfo, seconds| {
        waits.look(std::slice::from_ref(info), at(seconds))[0]
    };
    assert_eq!(look(&mut waits, &client, 0), Some(Duration::ZERO));
    assert_eq!(look(&mut waits, &client, 3), Some(Duration::from_secs(3)));
    // It has gone on and waits again.
    let again = endpoint(1, 10, "SENDING RECEIVING", Some(20), 6);
    assert_eq!(look(&mut waits, &again, 4), Some(Duration::ZERO));
    // Another life of the number.
    let mut other = again.clone();
    other.generation += 1;
    assert_eq!(look(&mut waits, &other, 5), Some(Duration::ZERO));
    let runs = endpoint(1, 10, "RUNNING", None, 6);
    assert_eq!(look(&mut waits, &runs, 6), None);
    let silent = EndpointInfo {
        state: None,
        ..runs
    };
    assert_eq!(look(&mut waits, &silent, 7), None);
    assert!(waits.0.is_empty());
}
