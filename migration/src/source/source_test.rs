use super::*;
use crate::layout::{Layout, PAGE_SIZE};
use crate::message::{Accept, MAX_PIECE_BYTES, Part};
use crate::place::{Residence, Start};
use crate::precopy::AtTimeout;
use crate::progress::State;
use crate::testing::{self, ms, one_slot};

const HERE: Place = Place {
    node: 1,
    epoch: 5,
    life: 3,
};
const THERE: Place = Place {
    node: 2,
    epoch: 6,
    life: 3,
};

fn layout() -> Layout {
    one_slot(128)
}

pub(super) fn pages(count: u32) -> PageBitmap {
    let mut pages = PageBitmap::none(&layout());
    pages.slot_mut(0)[0] = (1 << count) - 1;
    pages
}

fn offer() -> Offer {
    Offer {
        streams: 2,
        compression: Compression::Lz4,
        ..testing::offer(HERE, layout())
    }
}

fn piece(bytes: usize) -> Piece {
    Piece {
        part: Part::Vcpu,
        name: "0".into(),
        version: 1,
        bytes: vec![0; bytes],
    }
}

fn accept() -> Event {
    Event::Peer(ToSource::Accept(Accept {
        node: 2,
        streams: 2,
        compression: Compression::Lz4,
        port: 7500,
    }))
}

/// Sends what is pending on both streams and gives the round that ended.
pub(super) fn send_all(source: &mut Source, now: Duration) -> Option<u32> {
    let mut ended = None;
    for stream in 0..2 {
        loop {
            match source.next(now, stream) {
                Next::Pages(pick) => {
                    let pages = pick.runs().iter().map(|run| u64::from(run.pages)).sum();
                    source.sent(
                        now,
                        Sent {
                            data_pages: pages,
                            zero_pages: 0,
                            bytes: pages * PAGE_SIZE,
                        },
                    );
                }
                Next::RoundEnd { round, .. } => ended = Some(round),
                Next::Wait(_) | Next::Idle => break,
            }
        }
    }
    ended
}

pub(super) fn started(config: Config) -> Source {
    let (mut source, first) = Source::new(offer(), config, ms(0)).unwrap();
    assert_eq!(first, [Action::CheckNode]);
    source.handle(ms(1), Event::NodeChecked(Ok(HERE)));
    source.handle(ms(2), accept());
    source
}

/// A round with so many pages, which takes `took` ms.
fn round(source: &mut Source, from: u64, took: u64) -> Vec<Action> {
    let round = send_all(source, ms(from)).unwrap();
    let ended = Event::Peer(ToSource::RoundApplied(round));
    source.handle(ms(from + took), ended)
}

/// The guest stands still since 110 ms, and is handed over at 150 ms.
pub(super) fn handed_over() -> Source {
    let mut source = started(Config::default());
    source.handle(ms(10), Event::LogStarted(Ok(pages(40))));
    assert_eq!(
        round(&mut source, 10, 90),
        [Action::Collect { last: false }]
    );
    let stop = source.handle(ms(110), Event::Collected(Ok(pages(1))));
    assert!(stop.contains(&Action::PauseVcpus), "{stop:?}");
    let drop = source.handle(ms(111), Event::VcpusPaused(Ok(())));
    assert_eq!(drop, [Action::DropFrames]);
    let drain = source.handle(ms(115), Event::FramesDropped(Ok(HERE)));
    assert_eq!(drain, [Action::DrainRings]);
    let last = source.handle(ms(120), Event::RingsDrained(Ok(())));
    assert_eq!(last, [Action::Collect { last: true }, Action::SaveState]);
    let send = source.handle(ms(130), Event::Collected(Ok(pages(3))));
    assert_eq!(send, [Action::SendPages]);
    let pieces = source.handle(ms(135), Event::StateSaved(Ok(vec![piece(9)])));
    let sent = Action::Send(ToDestination::Piece(piece(9)));
    assert_eq!(pieces, [sent]);
    assert_eq!(send_all(&mut source, ms(140)), Some(3));
    assert!(source.handle(ms(145), Event::LastRoundSent).is_empty());
    let over = source.handle(ms(150), Event::LastRoundSent);
    let [Action::Send(ToDestination::HandOver(hand_over))] = &over[..] else {
        panic!("no hand-over: {over:?}");
    };
    assert_eq!(
        (hand_over.place, hand_over.round, hand_over.pieces),
        (HERE, 3, 1)
    );
    assert!(source.handed_over());
    source
}

fn told(source: &mut Source, at: u64, message: ToSource) -> Vec<Action> {
    source.handle(ms(at), Event::Peer(message))
}

#[test]
fn it_leaves_in_the_order_of_the_protocol_and_the_parts_make_up_the_downtime() {
    let mut source = handed_over();
    told(&mut source, 152, ToSource::RoundApplied(3));
    told(&mut source, 160, ToSource::Ready);
    told(&mut source, 163, ToSource::Committed(THERE));
    let take = told(&mut source, 170, ToSource::Resumed);
    assert_eq!(take, [Action::Take { from: HERE }]);
    let end = source.handle(ms(180), Event::Taken(Ok(Some(THERE.into()))));
    let left = Action::Ended(Outcome::Left(Some(THERE)));
    assert_eq!(end, [Action::Destroy, left]);
    let progress = source.progress(ms(999));
    assert_eq!((progress.state, progress.error), (State::Completed, None));
    assert_eq!(progress.downtime, Some(ms(60)));
    assert_eq!(progress.downtime_parts.sum(), ms(60));
    assert_eq!(progress.downtime_parts.last_pass, Some(ms(32)));
    assert_eq!(progress.total, Some(ms(170)));
    assert_eq!(progress.data_pages, 40 + 3);
}

#[test]
fn a_failure_before_the_hand_over_is_undone() {
    let mut source = started(Config::default());
    source.handle(ms(10), Event::LogStarted(Ok(pages(40))));
    round(&mut source, 10, 90);
    source.handle(ms(110), Event::Collected(Ok(pages(1))));
    source.handle(ms(111), Event::VcpusPaused(Ok(())));
    source.handle(ms(115), Event::FramesDropped(Ok(HERE)));
    let undo = source.handle(ms(120), Event::RingsDrained(Err("ring 2".to_owned())));
    let reason = "the devices cannot be stopped: ring 2";
    assert_eq!(
        undo,
        [
            Action::AcceptFrames,
            Action::StartRings,
            Action::ResumeVcpus,
            Action::StopLog,
            Action::Send(ToDestination::Abort(reason.into())),
            Action::Ended(Outcome::Stayed {
                reason: reason.into(),
                cancelled: false
            }),
        ]
    );
    assert_eq!(source.progress(ms(500)).downtime, Some(ms(10)));
    assert!(source.handle(ms(501), Event::Cancel).is_empty());
}

#[test]
fn after_the_hand_over_only_the_directory_gives_it_back() {
    let mut source = handed_over();
    let cancel = source.handle(ms(200), Event::Cancel);
    let abort = Action::Send(ToDestination::Abort("cancelled".into()));
    assert_eq!(cancel, [abort, Action::Take { from: HERE }]);
    let unknown = Event::Taken(Err("etcd is away".to_owned()));
    assert!(source.handle(ms(210), unknown).is_empty());
    assert_eq!(source.deadline(), Some(ms(300)));
    assert!(source.handle(ms(299), Event::Tick).is_empty());
    assert_eq!(
        source.handle(ms(300), Event::Tick),
        [Action::Take { from: HERE }]
    );
    let won = Place { epoch: 6, ..HERE };
    let back = source.handle(ms(310), Event::Taken(Ok(Some(won.into()))));
    assert_eq!(back[..2], [Action::AcceptFrames, Action::StartRings]);
    let progress = source.progress(ms(400));
    assert_eq!(progress.state, State::Cancelled);
    assert_eq!(
        (progress.place, progress.downtime),
        (Some(won), Some(ms(200)))
    );
}

#[test]
fn what_the_destination_cannot_run_is_taken_from_there() {
    let mut source = handed_over();
    told(&mut source, 160, ToSource::Committed(THERE));
    let first = told(&mut source, 170, ToSource::Returned("no threads".into()));
    assert_eq!(first, [Action::Take { from: HERE }]);
    let second = source.handle(ms(180), Event::Taken(Ok(Some(THERE.into()))));
    assert_eq!(second, [Action::Take { from: THERE }]);
    let won = Place { epoch: 7, ..HERE };
    let back = source.handle(ms(190), Event::Taken(Ok(Some(won.into()))));
    assert!(back.contains(&Action::ResumeVcpus));
    assert!(
        source
            .progress(ms(200))
            .error
            .unwrap()
            .as_str()
            .contains("no threads")
    );
}

/// The source has lost the VM to a destination of which it hears nothing.
fn unheard(start: Start) -> (Source, Vec<Action>) {
    let mut source = handed_over();
    let lost = source.handle(ms(160), Event::PeerLost("reset".to_owned()));
    assert_eq!(lost.last(), Some(&Action::Take { from: HERE }));
    let actions = source.handle(ms(170), answer(start));
    (source, actions)
}

fn answer(start: Start) -> Event {
    let place = THERE;
    Event::Taken(Ok(Some(Residence { place, start })))
}

#[test]
fn what_has_not_run_at_the_destination_is_waited_for_and_taken_back() {
    let (mut source, actions) = unheard(Start::Awaited);
    assert!(actions.is_empty(), "{actions:?}");
    let again = [Action::Take { from: HERE }];
    assert_eq!(source.handle(ms(260), Event::Tick), again);
    assert!(source.handle(ms(270), answer(Start::Awaited)).is_empty());
    assert!(source.handle(ms(280), Event::Cancel).is_empty());
    assert_eq!(source.handle(ms(460), Event::Tick), again);
    let second = source.handle(ms(470), answer(Start::Declined));
    assert_eq!(second, [Action::Take { from: THERE }]);
    let won = Place { epoch: 7, ..HERE };
    let back = source.handle(ms(480), Event::Taken(Ok(Some(won.into()))));
    assert!(back.contains(&Action::ResumeVcpus));
}

#[test]
fn a_guest_that_is_taken_back_is_in_the_life_that_it_was_in() {
    let mut source = handed_over();
    told(&mut source, 160, ToSource::Returned("no threads".into()));
    // The node there was cut off, and the VM's next life has begun.
    let renewed = Place { life: 9, ..THERE };
    let taken = source.handle(ms(180), Event::Taken(Ok(Some(renewed.into()))));
    assert_eq!(taken, [Action::Take { from: THERE }]);
}

#[test]
fn what_runs_at_the_destination_is_given_up() {
    let (_, left) = unheard(Start::Made);
    assert_eq!(left[0], Action::Destroy);
    let (mut source, _) = unheard(Start::Awaited);
    let left = source.handle(ms(270), answer(Start::Made));
    assert_eq!(left[0], Action::Destroy);
    // What the record says of a later placement is of another move.
    let (mut source, _) = unheard(Start::Awaited);
    let later = Residence {
        place: Place { epoch: 8, ..THERE },
        start: Start::Declined,
    };
    let left = source.handle(ms(270), Event::Taken(Ok(Some(later))));
    assert_eq!(left[0], Action::Destroy);
}

#[test]
fn a_word_of_the_destination_ends_the_wait() {
    for (word, then) in [
        (ToSource::Resumed, Action::Destroy),
        (ToSource::Returned("x".into()), Action::Take { from: THERE }),
    ] {
        let mut source = handed_over();
        source.handle(ms(160), Event::Cancel);
        source.handle(ms(170), answer(Start::Awaited));
        assert_eq!(told(&mut source, 180, word)[0], then);
    }
}

#[test]
fn a_destination_that_only_says_that_it_runs_is_not_believed() {
    let mut source = handed_over();
    told(&mut source, 160, ToSource::Resumed);
    let won = Place { epoch: 6, ..HERE };
    let back = source.handle(ms(170), Event::Taken(Ok(Some(won.into()))));
    assert!(back.contains(&Action::ResumeVcpus) && !back.contains(&Action::Destroy));
}

#[test]
fn refusals_come_with_their_reasons() {
    let (mut source, _) = Source::new(offer(), Config::default(), ms(0)).unwrap();
    source.handle(ms(1), Event::NodeChecked(Ok(HERE)));
    let reasons = vec!["no memory".into(), "no CPU".into()];
    told(&mut source, 2, ToSource::Refuse(reasons));
    let error = source.progress(ms(3)).error.unwrap();
    assert_eq!(error.as_str(), "the destination refuses: no memory; no CPU");
}

#[test]
fn answers_out_of_turn_end_it() {
    let wrong = Accept {
        node: 2,
        streams: 3,
        compression: Compression::None,
        port: 7500,
    };
    let (mut source, _) = Source::new(offer(), Config::default(), ms(0)).unwrap();
    source.handle(ms(1), Event::NodeChecked(Ok(HERE)));
    told(&mut source, 2, ToSource::Accept(wrong));
    assert_eq!(source.progress(ms(3)).state, State::Failed);
    for message in [
        ToSource::RoundApplied(1),
        ToSource::RoundApplied(2),
        ToSource::Ready,
        ToSource::Resumed,
    ] {
        let mut source = started(Config::default());
        source.handle(ms(10), Event::LogStarted(Ok(pages(9))));
        told(&mut source, 11, message);
        assert_eq!(source.progress(ms(12)).state, State::Failed);
    }
}

#[test]
fn too_much_state_is_not_handed_over() {
    for pieces in [
        vec![piece(MAX_PIECE_BYTES + 1)],
        vec![piece(MAX_PIECE_BYTES); 4],
        vec![piece(0); 8193],
    ] {
        let mut source = started(Config::default());
        source.handle(ms(10), Event::LogStarted(Ok(pages(1))));
        round(&mut source, 10, 1);
        source.handle(ms(12), Event::Collected(Ok(pages(0))));
        source.handle(ms(13), Event::VcpusPaused(Ok(())));
        source.handle(ms(14), Event::FramesDropped(Ok(HERE)));
        source.handle(ms(15), Event::RingsDrained(Ok(())));
        let back = source.handle(ms(16), Event::StateSaved(Ok(pieces)));
        assert!(back.contains(&Action::ResumeVcpus), "{back:?}");
    }
}

/// Rounds of a guest that writes all its 40 pages in each, which takes 5 s.
fn wild(config: precopy::Config, rounds: u64) -> (Source, Vec<Action>) {
    let waits = Waits::default();
    let mut source = started(Config {
        precopy: config,
        waits,
    });
    let mut all = source.handle(ms(10), Event::LogStarted(Ok(pages(40))));
    for n in 0..rounds {
        all.extend(round(&mut source, 10 + n * 5000, 5000));
        all.extend(source.handle(ms(5010 + n * 5000), Event::Collected(Ok(pages(40)))));
    }
    (source, all)
}

#[test]
fn a_guest_that_was_slowed_down_gets_its_time_back() {
    let (mut source, actions) = wild(precopy::Config::default(), 4);
    let steps = [20, 30].map(Action::Throttle);
    assert!(
        steps.iter().all(|step| actions.contains(step)),
        "{actions:?}"
    );
    assert_eq!(source.progress(ms(20_010)).throttle_percent, 30);
    let back = source.handle(ms(20_011), Event::Cancel);
    assert_eq!(back[..2], [Action::Throttle(0), Action::StopLog]);
}

#[test]
fn when_the_time_is_up_it_ends_as_asked_even_in_a_round() {
    for (at_timeout, state) in [
        (AtTimeout::Force, State::SwitchOver),
        (AtTimeout::Cancel, State::Failed),
    ] {
        let config = precopy::Config {
            timeout: ms(7000),
            at_timeout,
            ..precopy::Config::default()
        };
        let (mut source, _) = wild(config, 1);
        assert_eq!(source.deadline(), Some(ms(7010)));
        source.handle(ms(7010), Event::Tick);
        assert_eq!(source.progress(ms(7010)).state, state);
        // The round that was cut short may still be acknowledged.
        told(&mut source, 7011, ToSource::RoundApplied(1));
        assert_eq!(source.progress(ms(7011)).state, state);
    }
}
