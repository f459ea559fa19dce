use std::sync::mpsc;

use super::*;

#[test]
fn the_shares_are_what_was_asked_for() {
    assert_eq!(
        shares(20),
        (Duration::from_millis(40), Duration::from_millis(10))
    );
    assert_eq!(shares(50).0, shares(50).1);
    assert_eq!(
        shares(99),
        (Duration::from_millis(1), Duration::from_millis(99))
    );
    assert_eq!(shares(200), shares(99));
    assert_eq!(shares(0).1, Duration::ZERO);
}

/// Tells what it is asked.
struct Teller(mpsc::Sender<bool>);

impl Hold for Teller {
    fn hold(&self, on: bool) {
        self.0.send(on).unwrap();
    }
}

#[test]
fn what_is_held_is_let_go_in_turn_and_in_the_end() {
    let (told, tell) = mpsc::channel();
    let held = [Arc::new(Teller(told))];
    let throttle = Throttle::default();
    throttle.set(0, &held).unwrap();
    throttle.set(99, &held).unwrap();
    assert_eq!(tell.recv(), Ok(true));
    throttle.set(50, &held).unwrap();
    assert_eq!(tell.recv(), Ok(false));
    assert_eq!(tell.recv(), Ok(true));
    throttle.set(0, &held).unwrap();
    assert_eq!(tell.try_iter().last(), Some(false));
}
