use super::*;

const fn at(node: u32, epoch: u32) -> Place {
    Place {
        node,
        epoch,
        life: 7,
    }
}

#[test]
fn one_of_two_takers_wins() {
    let from = at(1, 4);
    for (found, source, destination) in [
        (at(1, 4), Claim::Open, Claim::Open),
        (at(2, 5), Claim::Lost(Some(at(2, 5))), Claim::Won(at(2, 5))),
        (at(1, 5), Claim::Won(at(1, 5)), Claim::Lost(Some(at(1, 5)))),
        // It has moved on since, even back to where it came from.
        (
            at(1, 6),
            Claim::Lost(Some(at(1, 6))),
            Claim::Lost(Some(at(1, 6))),
        ),
    ] {
        assert_eq!(judge(from, 1, Some(found)), source, "{found:?}");
        assert_eq!(judge(from, 2, Some(found)), destination, "{found:?}");
    }
    assert_eq!(judge(from, 1, None), Claim::Lost(None));
}

#[test]
fn old_news_settles_nothing() {
    assert_eq!(judge(at(2, 5), 1, Some(at(1, 4))), Claim::Open);
    assert_eq!(judge(at(2, 5), 1, Some(at(2, 5))), Claim::Open);
}

#[test]
fn a_life_that_was_given_up_goes_on_as_another() {
    let renewed = Place {
        life: 8,
        ..at(1, 5)
    };
    assert_eq!(judge(at(1, 4), 1, Some(renewed)), Claim::Won(renewed));
}

#[test]
fn the_last_epoch_is_the_last() {
    let last = at(1, u32::MAX);
    assert_eq!(judge(last, 2, Some(last)), Claim::Open);
    assert_eq!(judge(last, 2, Some(at(2, 0))), Claim::Open);
}
