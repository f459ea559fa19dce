use super::tests::{handed_over, pages, send_all, started};
use super::*;
use crate::message::Accept;
use crate::place::{Claim, judge};
use crate::testing::{any_place, any_residence, ms};
use proptest::prelude::*;

fn anything() -> impl Strategy<Value = Event> {
    let no = || "no".to_owned();
    let place = any_place();
    let accept = (0..4u16).prop_map(|streams| Accept {
        node: 2,
        streams,
        compression: Compression::None,
        port: 7500,
    });
    prop_oneof![
        any_residence().prop_map(|it| Event::Taken(Ok(Some(it)))),
        prop_oneof![Just(Event::Taken(Ok(None))), Just(Event::Taken(Err(no())))],
        place.prop_map(|place| Event::Peer(ToSource::Committed(place))),
        accept.prop_map(|accept| Event::Peer(ToSource::Accept(accept))),
        (0..5u32).prop_map(|round| Event::Peer(ToSource::RoundApplied(round))),
        prop_oneof![
            Just(Event::Peer(ToSource::Ready)),
            Just(Event::Peer(ToSource::Resumed)),
            Just(Event::Peer(ToSource::Returned("x".into()))),
            Just(Event::Peer(ToSource::Aborted("x".into()))),
            Just(Event::Peer(ToSource::Refuse(vec![]))),
        ],
        prop_oneof![
            Just(Event::VcpusPaused(Err(no()))),
            Just(Event::StateSaved(Ok(vec![]))),
            Just(Event::LastRoundSent),
            Just(Event::Collected(Ok(pages(2)))),
            Just(Event::NodeLost(no())),
            Just(Event::PeerLost(no())),
            Just(Event::Failed(no())),
            Just(Event::GuestStopped),
            Just(Event::Cancel),
            Just(Event::Tick),
        ],
    ]
}

proptest! {
    #[test]
    fn nothing_but_a_won_transaction_brings_it_back_and_nothing_but_a_lost_one_destroys_it(
        events in prop::collection::vec((anything(), 0..3000u64), 1..30),
    ) {
        let mut source = handed_over();
        let mut now = ms(150);
        for (event, later) in events {
            now += ms(later);
            let taking = source.taking.as_ref().filter(|_| source.handed_over());
            let from = taking.map(Taking::from);
            let claim = match (&event, from) {
                (Event::Taken(Ok(found)), Some(from)) => judge(from, 1, *found),
                _ => Claim::Open,
            };
            let asked_before = source.lost_to.is_some();
            let actions = source.handle(now, event);
            let won = matches!(claim, Claim::Won(_));
            let lost = matches!(claim, Claim::Lost(_)) || asked_before;
            prop_assert_eq!(actions.contains(&Action::ResumeVcpus), won);
            prop_assert!(lost || !actions.contains(&Action::Destroy));
            source.progress(now);
        }
    }

    #[test]
    fn no_order_of_events_is_too_strange(
        events in prop::collection::vec((anything(), 0..3000u64), 1..30),
    ) {
        let mut source = started(Config::default());
        source.handle(ms(10), Event::LogStarted(Ok(pages(40))));
        let mut now = ms(10);
        for (event, later) in events {
            now += ms(later);
            send_all(&mut source, now);
            source.handle(now, event);
            source.progress(now);
        }
    }
}
