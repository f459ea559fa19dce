use super::*;
use crate::precopy::AtTimeout;

fn after(rounds: u32, sent: u64, dirty: u64, rest_ms: u64) -> Situation {
    Situation {
        rounds,
        sent,
        dirty,
        rest: Some(Duration::from_millis(rest_ms)),
        late: false,
    }
}

const MORE: Verdict = Verdict::Round { throttle: None };

#[test]
fn the_first_round_is_always_made() {
    let mut c = Convergence::default();
    assert_eq!(c.judge(&Config::default(), after(0, 0, 0, 0)), MORE);
}

#[test]
fn what_does_not_shrink_any_more_is_sent_at_once_if_it_fits() {
    let mut c = Convergence::default();
    let config = Config::default();
    assert_eq!(c.judge(&config, after(1, 9000, 5000, 400)), MORE);
    assert_eq!(c.judge(&config, after(2, 5000, 2000, 200)), MORE);
    assert_eq!(
        c.judge(&config, after(3, 2000, 1900, 190)),
        Verdict::SwitchOver
    );
}

#[test]
fn polishing_ends() {
    let mut c = Convergence::default();
    let config = Config::default();
    for round in 1..=u32::from(POLISH) {
        assert_eq!(c.judge(&config, after(round, 100, 70, 200)), MORE);
    }
    assert_eq!(
        c.judge(&config, after(9, 100, 70, 200)),
        Verdict::SwitchOver
    );
    let mut c = Convergence::default();
    assert_eq!(c.judge(&config, after(1, 100, 0, 1)), Verdict::SwitchOver);
}

#[test]
fn a_guest_that_writes_too_fast_is_slowed_down_step_by_step() {
    let mut c = Convergence::default();
    let config = Config::default();
    let mut steps = Vec::new();
    for round in 1..30 {
        if let Verdict::Round {
            throttle: Some(percent),
        } = c.judge(&config, after(round, 100, 90, 900))
        {
            steps.push(percent);
        }
    }
    assert_eq!(steps, [20, 30, 40, 50, 60, 70, 80, 90, 99]);
    assert_eq!(c.percent(), 99);
}

#[test]
fn one_round_that_shrinks_is_a_new_chance() {
    let mut c = Convergence::default();
    let config = Config::default();
    for round in 1..10 {
        let dirty = if round % 2 == 0 { 90 } else { 40 };
        assert_eq!(c.judge(&config, after(round, 100, dirty, 900)), MORE);
    }
}

#[test]
fn it_is_left_alone_if_so_wished() {
    let mut c = Convergence::default();
    let config = Config {
        throttling: None,
        ..Config::default()
    };
    for round in 1..10 {
        assert_eq!(c.judge(&config, after(round, 100, 100, 900)), MORE);
    }
}

#[test]
fn time_is_up_as_asked() {
    let late = Situation {
        late: true,
        ..after(3, 100, 100, 900)
    };
    for (at_timeout, verdict) in [
        (AtTimeout::Cancel, Verdict::TimedOut),
        (AtTimeout::Force, Verdict::SwitchOver),
    ] {
        let config = Config {
            at_timeout,
            ..Config::default()
        };
        assert_eq!(Convergence::default().judge(&config, late), verdict);
    }
}
