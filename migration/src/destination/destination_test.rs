use super::*;
use crate::layout::PAGE_SIZE;
use crate::message::{Cpu, Figures, Part};
use crate::pages::Compression;
use crate::place::{Claim, judge};
use crate::precopy::Sent;
use crate::progress::State;
use crate::testing::{self, any_place, any_residence, ms, one_slot};
use proptest::prelude::*;

const FROM: Place = Place {
    node: 1,
    epoch: 5,
    life: 3,
};
const HERE: Place = Place {
    node: 2,
    epoch: 6,
    life: 3,
};
const ATTEMPT: Attempt = Attempt([8; 16]);

fn offer() -> Offer {
    Offer {
        attempt: ATTEMPT,
        streams: 4,
        compression: Compression::Zstd,
        ..testing::offer(FROM, one_slot(64))
    }
}

fn host() -> Host {
    Host {
        node: 2,
        cluster: "c".into(),
        machine: 1,
        vcpus: 1,
        memory: 64 * PAGE_SIZE,
        cpu: Cpu::default(),
        tsc_scaling: false,
        devices: vec![],
        compression: vec![Compression::Lz4],
        streams: 2,
        port: 7500,
    }
}

fn piece(part: Part, bytes: usize) -> Piece {
    Piece {
        part,
        name: "0".into(),
        version: 1,
        bytes: vec![0; bytes],
    }
}

fn hand_over(place: Place, round: u32, pieces: u32) -> ToDestination {
    ToDestination::HandOver(HandOver {
        place,
        round,
        pieces,
        pause: ms(1),
        drain: ms(2),
        last_pass: ms(3),
    })
}

fn told(d: &mut Destination, at: u64, message: ToDestination) -> Vec<Action> {
    d.handle(ms(at), Event::Peer(message))
}

fn ended(d: &mut Destination, at: u64, stream: u16, round: u32, last: bool) -> Vec<Action> {
    let event = Event::RoundEnded {
        stream,
        round,
        last,
    };
    d.handle(ms(at), event)
}

fn receiving() -> Destination {
    let mut d = Destination::new(host(), Waits::default(), ms(0));
    let prepare = told(&mut d, 1, ToDestination::Offer(Box::new(offer())));
    assert_eq!(prepare, [Action::Prepare(Box::new(offer()))]);
    let accept = Accept {
        node: 2,
        streams: 2,
        compression: Compression::None,
        port: 7500,
    };
    assert_eq!(
        d.handle(ms(5), Event::Prepared(Ok(()))),
        [
            Action::TakeStreams(accept),
            Action::Send(ToSource::Accept(accept))
        ]
    );
    d.join(ms(6), ATTEMPT, 0).unwrap();
    d.join(ms(7), ATTEMPT, 1).unwrap();
    d
}

fn loading() -> Destination {
    let mut d = receiving();
    told(&mut d, 20, ToDestination::Piece(piece(Part::Device, 3)));
    told(&mut d, 21, ToDestination::Piece(piece(Part::Machine, 4)));
    ended(&mut d, 22, 0, 4, true);
    assert!(told(&mut d, 30, hand_over(FROM, 4, 2)).is_empty());
    let load = ended(&mut d, 40, 1, 4, true);
    assert_eq!(
        load,
        [
            Action::Send(ToSource::RoundApplied(4)),
            Action::Load(vec![piece(Part::Machine, 4), piece(Part::Device, 3)])
        ]
    );
    d
}

fn taking() -> Destination {
    let mut d = loading();
    let take = d.handle(ms(45), Event::Loaded(Ok(())));
    assert_eq!(
        take,
        [Action::Send(ToSource::Ready), Action::Take { from: FROM }]
    );
    d
}

#[test]
fn it_comes_in_the_order_of_the_protocol() {
    let mut d = taking();
    let resume = d.handle(ms(55), Event::Taken(Ok(Some(HERE.into()))));
    let committed = Action::Send(ToSource::Committed(HERE));
    assert_eq!(resume, [committed, Action::Resume(HERE)]);
    let end = d.handle(ms(60), Event::Resumed(Ok(())));
    let runs = Action::Ended(Outcome::Runs(HERE));
    assert_eq!(end, [Action::Send(ToSource::Resumed), runs]);
    let progress = d.progress(ms(100));
    assert_eq!(progress.state, State::Completed);
    assert_eq!(progress.downtime, Some(ms(6 + 30)));
    assert_eq!(progress.downtime_parts.sum(), ms(36));
}

#[test]
fn a_round_is_over_when_all_streams_say_so() {
    let mut d = receiving();
    let pages = Sent {
        data_pages: 3,
        zero_pages: 1,
        bytes: 3 * PAGE_SIZE,
    };
    d.applied(ms(9), pages);
    assert!(ended(&mut d, 10, 0, 1, false).is_empty());
    let applied = |round| [Action::Send(ToSource::RoundApplied(round))];
    assert_eq!(ended(&mut d, 11, 1, 1, false), applied(1));
    // A round that the switch-over cut short has no end on every stream.
    assert!(ended(&mut d, 12, 0, 2, false).is_empty());
    assert!(ended(&mut d, 13, 0, 3, true).is_empty());
    assert_eq!(ended(&mut d, 14, 1, 3, true), applied(3));
    assert_eq!(d.progress(ms(15)).data_pages, 3);
}

#[test]
fn strangers_are_sent_away_and_change_nothing() {
    let mut d = Destination::new(host(), Waits::default(), ms(0));
    assert_eq!(d.join(ms(0), ATTEMPT, 0), Err(JoinError::Stranger));
    let mut d = receiving();
    assert_eq!(d.join(ms(8), Attempt([0; 16]), 0), Err(JoinError::Stranger));
    assert_eq!(d.join(ms(8), ATTEMPT, 0), Err(JoinError::Number(0)));
    assert_eq!(d.join(ms(8), ATTEMPT, 2), Err(JoinError::Number(2)));
    assert_eq!(d.progress(ms(9)).state, State::Precopy);
}

#[test]
fn what_cannot_run_here_is_refused_before_anything_is_built() {
    let mut d = Destination::new(host(), Waits::default(), ms(0));
    let mut offer = offer();
    offer.vcpus = 2;
    let refuse = told(&mut d, 1, ToDestination::Offer(Box::new(offer)));
    assert!(matches!(&refuse[0], Action::Send(ToSource::Refuse(r)) if r.len() == 1));
    assert!(!refuse.iter().any(|a| matches!(a, Action::Prepare(_))));
    let mut d = Destination::new(host(), Waits::default(), ms(0));
    told(&mut d, 1, ToDestination::Offer(Box::new(self::offer())));
    let full = Event::Prepared(Err("the disk is full".to_owned()));
    let refuse = d.handle(ms(2), full);
    let reasons = vec![Text::from("the disk is full")];
    assert_eq!(refuse[0], Action::Send(ToSource::Refuse(reasons)));
}

#[test]
fn a_source_that_does_not_keep_to_the_protocol_is_left() {
    type Wrong = fn(&mut Destination) -> Vec<Action>;
    let other = Place { node: 3, ..FROM };
    assert_ne!(other, FROM);
    let cases: &[Wrong] = &[
        |d| told(d, 10, ToDestination::Offer(Box::new(offer()))),
        // A VM of another node is not the source's to give.
        |d| told(d, 10, hand_over(Place { node: 3, ..FROM }, 1, 0)),
        |d| {
            told(d, 10, hand_over(FROM, 1, 0));
            told(d, 11, hand_over(FROM, 1, 0))
        },
        |d| {
            told(d, 10, hand_over(FROM, 1, 1));
            ended(d, 11, 0, 1, true);
            ended(d, 12, 1, 1, true)
        },
        |d| {
            told(d, 10, hand_over(FROM, 2, 0));
            ended(d, 11, 0, 1, true);
            ended(d, 12, 1, 1, true)
        },
        |d| ended(d, 10, 2, 1, false),
        |d| ended(d, 10, 0, 0, false),
        |d| {
            ended(d, 10, 0, 2, true);
            ended(d, 10, 0, 3, true)
        },
    ];
    for (n, wrong) in cases.iter().enumerate() {
        let mut d = receiving();
        let end = wrong(&mut d);
        assert!(end.contains(&Action::Destroy), "case {n}: {end:?}");
        assert_eq!(d.progress(ms(20)).state, State::Failed);
    }
}

#[test]
fn state_without_end_is_refused() {
    let mut d = receiving();
    for _ in 0..3 {
        assert!(
            told(
                &mut d,
                10,
                ToDestination::Piece(piece(Part::Port, 16 << 20))
            )
            .is_empty()
        );
    }
    let end = told(
        &mut d,
        11,
        ToDestination::Piece(piece(Part::Port, 16 << 20)),
    );
    assert!(end.contains(&Action::Destroy));
}

#[test]
fn with_everything_here_the_source_is_not_needed_any_more() {
    let mut d = loading();
    let lost = Event::PeerLost("reset".to_owned());
    assert!(d.handle(ms(41), lost).is_empty());
    let take = d.handle(ms(45), Event::Loaded(Ok(())));
    assert_eq!(take, [Action::Take { from: FROM }]);
    for event in [
        Event::Cancel,
        Event::NodeLost("x".to_owned()),
        Event::Failed("x".to_owned()),
        Event::Taken(Err("x".to_owned())),
        Event::Taken(Ok(Some(FROM.into()))),
    ] {
        assert!(d.handle(ms(46), event).is_empty());
    }
    assert_eq!(
        d.handle(ms(145), Event::Tick),
        [Action::Take { from: FROM }]
    );
    assert_eq!(
        d.handle(ms(150), Event::Taken(Ok(Some(HERE.into())))),
        [Action::Resume(HERE)]
    );
}

#[test]
fn a_vm_that_cannot_be_started_is_given_back() {
    let mut d = taking();
    d.handle(ms(55), Event::Taken(Ok(Some(HERE.into()))));
    let end = d.handle(ms(60), Event::Resumed(Err("no threads".to_owned())));
    let returned = Action::Send(ToSource::Returned("no threads".into()));
    assert_eq!(end[..2], [returned, Action::Destroy]);
}

#[test]
fn a_silent_source_is_not_waited_for() {
    let mut d = receiving();
    told(&mut d, 1000, ToDestination::Figures(Figures::default()));
    assert_eq!(d.deadline(), Some(ms(31_000)));
    assert!(d.handle(ms(30_999), Event::Tick).is_empty());
    let end = d.handle(ms(31_000), Event::Tick);
    assert!(end.contains(&Action::Destroy));
}

fn anything() -> impl Strategy<Value = Event> {
    let no = || "no".to_owned();
    let place = any_place();
    let end = (0..3u16, 0..4u32, any::<bool>());
    let over = (place.clone(), 0..4u32, 0..3u32);
    prop_oneof![
        any_residence().prop_map(|it| Event::Taken(Ok(Some(it)))),
        end.prop_map(|(stream, round, last)| Event::RoundEnded {
            stream,
            round,
            last
        }),
        over.prop_map(|(place, round, n)| Event::Peer(hand_over(place, round, n))),
        prop_oneof![
            Just(Event::Peer(ToDestination::Offer(Box::new(offer())))),
            Just(Event::Peer(ToDestination::Piece(piece(Part::Clock, 1)))),
            Just(Event::Peer(ToDestination::Figures(Figures::default()))),
            Just(Event::Peer(ToDestination::Abort("x".into()))),
        ],
        prop_oneof![
            Just(Event::Loaded(Ok(()))),
            Just(Event::Resumed(Ok(()))),
            Just(Event::Resumed(Err(no()))),
            Just(Event::Taken(Ok(None))),
            Just(Event::Taken(Err(no()))),
            Just(Event::PeerLost(no())),
            Just(Event::NodeLost(no())),
            Just(Event::Cancel),
            Just(Event::Tick),
        ],
    ]
}

proptest! {
    #[test]
    fn nothing_but_a_won_transaction_starts_it(
        begin in 0..3usize,
        events in prop::collection::vec((anything(), 0..3000u64), 1..30),
    ) {
        let mut d = [receiving, loading, taking][begin]();
        let mut now = ms(45);
        for (event, later) in events {
            now += ms(later);
            let from = d.taking.as_ref().filter(|_| d.phase == Phase::Taking).map(Taking::from);
            let won = match (&event, from) {
                (Event::Taken(Ok(found)), Some(from)) => {
                    matches!(judge(from, 2, *found), Claim::Won(_))
                }
                _ => false,
            };
            let asked = d.asked();
            let actions = d.handle(now, event);
            let resumes = actions.iter().any(|action| matches!(action, Action::Resume(_)));
            prop_assert_eq!(resumes, won);
            let aborts = actions.iter().any(|a| matches!(a, Action::Send(ToSource::Aborted(_))));
            prop_assert!(!(asked && aborts), "it may still win");
            d.progress(now);
        }
    }
}
