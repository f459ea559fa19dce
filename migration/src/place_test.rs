use super::*;

fn lost(place: Place) -> Claim {
    Claim::Lost(Some(place.into()))
}

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
        (at(2, 5), lost(at(2, 5)), Claim::Won(at(2, 5))),
        (at(1, 5), Claim::Won(at(1, 5)), lost(at(1, 5))),
        // It has moved on since, even back to where it came from.
        (at(1, 6), lost(at(1, 6)), lost(at(1, 6))),
    ] {
        assert_eq!(judge(from, 1, Some(found.into())), source, "{found:?}");
        assert_eq!(judge(from, 2, Some(found.into())), destination, "{found:?}");
    }
    assert_eq!(judge(from, 1, None), Claim::Lost(None));
}

#[test]
fn whether_it_has_run_is_told_to_who_has_lost() {
    for start in [Start::Made, Start::Awaited, Start::Declined] {
        let place = at(2, 5);
        let found = Some(Residence { place, start });
        assert_eq!(judge(at(1, 4), 1, found), Claim::Lost(found));
        assert_eq!(judge(at(1, 4), 2, found), Claim::Won(place));
    }
}

#[test]
fn old_news_settles_nothing() {
    assert_eq!(judge(at(2, 5), 1, Some(at(1, 4).into())), Claim::Open);
    assert_eq!(judge(at(2, 5), 1, Some(at(2, 5).into())), Claim::Open);
}

#[test]
fn a_life_that_was_given_up_goes_on_as_another() {
    let renewed = Place {
        life: 8,
        ..at(1, 5)
    };
    assert_eq!(
        judge(at(1, 4), 1, Some(renewed.into())),
        Claim::Won(renewed)
    );
}

#[test]
fn the_last_epoch_is_the_last() {
    let last = at(1, u32::MAX);
    assert_eq!(judge(last, 2, Some(last.into())), Claim::Open);
    assert_eq!(judge(last, 2, Some(at(2, 0).into())), Claim::Open);
}
