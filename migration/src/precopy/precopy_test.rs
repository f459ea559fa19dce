use super::*;
use crate::layout::Slot;
use crate::pages::BATCH_PAGES;
use crate::testing::ms;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn layout(sizes: &[u64]) -> Layout {
    let slots = sizes.iter().zip((0..).step_by(1 << 32));
    let slots = slots.map(|(pages, start)| Slot {
        start,
        size: pages * PAGE_SIZE,
    });
    Layout::new(slots.collect()).unwrap()
}

fn precopy(sizes: &[u64], streams: u16, config: Config) -> Precopy {
    Precopy::new(layout(sizes), streams, config, Duration::ZERO)
}

/// Sends all that is pending, the streams in turn, and gives how often and by whom each page went.
fn play(precopy: &mut Precopy, streams: u16, now: Duration) -> BTreeMap<u64, Vec<u16>> {
    let mut seen: BTreeMap<u64, Vec<u16>> = BTreeMap::new();
    let mut over = 0;
    while over < streams {
        for stream in 0..streams {
            match precopy.next(stream, now) {
                Next::Pages(pick) => {
                    assert!(pick.first_page.is_multiple_of(64));
                    let mut pages = 0;
                    for frame in pick.runs().into_iter().flat_map(|run| run.frames()) {
                        seen.entry(frame).or_default().push(stream);
                        pages += 1;
                    }
                    assert!((1..=BATCH_PAGES).contains(&pages));
                    let bits = pick.words.iter().map(|word| word.count_ones());
                    assert_eq!(bits.sum::<u32>(), pages);
                    precopy.sent(
                        now,
                        Sent {
                            data_pages: pages.into(),
                            zero_pages: 0,
                            bytes: u64::from(pages) * PAGE_SIZE,
                        },
                    );
                }
                Next::RoundEnd { .. } => over += 1,
                Next::Idle => {}
                Next::Wait(until) => panic!("nothing caps the bandwidth, but {until:?}"),
            }
        }
    }
    assert!(precopy.all_sent());
    seen
}

#[test]
fn a_small_busy_part_keeps_all_streams_busy() {
    let mut p = precopy(&[1 << 20], 4, Config::default());
    let mut busy = PageBitmap::none(p.layout());
    busy.slot_mut(0)[1000..1064].fill(!0);
    p.collected_last(ms(0), &busy);
    p.begin_round(ms(0), true);
    let seen = play(&mut p, 4, ms(0));
    for stream in 0..4 {
        let own = seen.values().filter(|by| **by == [stream]);
        assert_eq!(own.count(), 1024);
    }
}

#[test]
fn pages_far_apart_are_not_in_one_batch() {
    let mut p = precopy(&[1 << 30], 2, Config::default());
    let mut two = PageBitmap::none(p.layout());
    two.slot_mut(0)[0] = 1;
    two.slot_mut(0)[1 << 23] = 1 << 63;
    p.collected_last(ms(0), &two);
    p.begin_round(ms(0), false);
    let Next::Pages(first) = p.next(0, ms(0)) else {
        panic!("no pages");
    };
    assert_eq!((first.first_page, first.words), (0, vec![1]));
    let Next::Pages(second) = p.next(0, ms(0)) else {
        panic!("no pages");
    };
    assert_eq!((second.first_page, second.words.len()), (1 << 29, 1));
    assert_eq!(second.runs()[0].frame, (1 << 29) + 63);
    assert_eq!(p.remaining(), 0);
}

#[test]
fn an_unknown_stream_has_nothing_to_do() {
    let mut p = precopy(&[64], 1, Config::default());
    p.collected(ms(0), &PageBitmap::all(&layout(&[64])));
    assert_eq!(p.next(0, ms(0)), Next::Idle);
    p.begin_round(ms(0), false);
    assert_eq!(p.next(1, ms(0)), Next::Idle);
    assert!(matches!(p.next(0, ms(0)), Next::Pages(_)));
    let end = Next::RoundEnd {
        round: 1,
        last: false,
    };
    assert_eq!(p.next(0, ms(0)), end);
    assert_eq!(p.next(0, ms(0)), Next::Idle);
}

#[test]
fn the_cap_holds_back_all_rounds_but_the_last() {
    let config = Config {
        bandwidth: Some(SLOWEST),
        ..Config::default()
    };
    let mut p = precopy(&[64], 1, config);
    p.collected(ms(50), &PageBitmap::all(&layout(&[64])));
    p.begin_round(ms(50), false);
    p.sent(
        ms(50),
        Sent {
            bytes: SLOWEST,
            ..Sent::default()
        },
    );
    assert_eq!(p.next(0, ms(50)), Next::Wait(ms(1000)));
    p.begin_round(ms(60), true);
    assert!(matches!(p.next(0, ms(60)), Next::Pages(_)));
}

#[test]
fn the_downtime_follows_from_bandwidth_and_rest() {
    let pages = 25_600;
    let mut p = precopy(&[pages], 2, Config::default());
    let all = PageBitmap::all(p.layout());
    assert_eq!(p.collected(ms(0), &all), Verdict::Round { throttle: None });
    assert_eq!(p.expected_downtime(), None);
    p.begin_round(ms(0), false);
    play(&mut p, 2, ms(0));
    p.end_round(ms(1000));
    assert_eq!(p.bandwidth(), Some(100 << 20));
    // 100 MiB/s: 10 MiB take 100 ms, and 20 ms go to other things.
    let mut dirty = PageBitmap::none(p.layout());
    dirty.slot_mut(0)[..40].fill(!0);
    p.collected(ms(1000), &dirty);
    assert_eq!(p.expected_downtime(), Some(ms(120)));
    assert_eq!((p.remaining(), p.dirty_rate()), (2560, 2560));
}

#[test]
fn what_an_early_end_left_is_sent_in_the_last_round() {
    let mut p = precopy(&[640], 1, Config::default());
    let all = PageBitmap::all(p.layout());
    p.collected(ms(0), &all);
    p.begin_round(ms(0), false);
    assert!(matches!(p.next(0, ms(0)), Next::Pages(_)));
    assert_eq!(p.remaining(), 128);
    let mut dirty = PageBitmap::none(p.layout());
    dirty.slot_mut(0)[0] = 0b11;
    p.collected_last(ms(1), &dirty);
    p.begin_round(ms(1), true);
    assert_eq!(play(&mut p, 1, ms(1)).len(), 130);
}

#[test]
fn a_round_of_little_data_does_not_make_the_link_slow() {
    let mut p = precopy(&[1024], 1, Config::default());
    let sent = |data_pages, zero_pages| Sent {
        data_pages,
        zero_pages,
        bytes: 0,
    };
    let mut round = |from, to, what| {
        p.begin_round(ms(from), false);
        p.sent(ms(from), what);
        p.end_round(ms(to));
        p.bandwidth().unwrap() / PAGE_SIZE
    };
    assert_eq!(round(0, 1000, sent(1000, 0)), 1000);
    assert_eq!(round(1000, 2000, sent(1, 0)), 1000);
    assert_eq!(round(2000, 3000, sent(500, 600)), 1000);
    assert_eq!(round(3000, 3001, sent(10, 0)), 10_000);
    assert_eq!(round(4000, 5000, sent(500, 100)), 500);
}

/// A guest that writes `working_set` pages over and over, `rate` pages a second; gives the verdict
/// at the end, the pages left, and the time.
fn simulate(config: Config, rate: u64, working_set: u64) -> (Verdict, u64, Duration) {
    const PAGES: u64 = 131_072;
    const LINK: u64 = 25_600;
    let mut p = precopy(&[PAGES], 4, config);
    let (mut now, mut pages, mut percent) = (ms(0), PAGES, 0);
    loop {
        let mut dirty = PageBitmap::none(p.layout());
        for page in 0..pages {
            dirty.slot_mut(0)[usize::try_from(page / 64).unwrap()] |= 1 << (page % 64);
        }
        match p.collected(now, &dirty) {
            Verdict::Round { throttle } => percent = throttle.unwrap_or(percent),
            verdict => return (verdict, pages, now),
        }
        p.begin_round(now, false);
        play(&mut p, 4, now);
        let took = Duration::from_micros(pages * 1_000_000 / LINK + 1000);
        now += took;
        p.end_round(now);
        let written = u128::from(rate) * took.as_micros() / 1_000_000;
        let written = u64::try_from(written).unwrap() * (100 - u64::from(percent)) / 100;
        pages = written.min(working_set);
    }
}

#[test]
fn a_calm_guest_stops_for_a_moment() {
    let (verdict, pages, now) = simulate(Config::default(), 2000, 50_000);
    assert_eq!(verdict, Verdict::SwitchOver);
    assert!(pages < 120, "{pages} pages left");
    assert!(now < ms(6000), "{now:?}");
}

#[test]
fn a_wild_guest_is_slowed_down_until_it_fits() {
    let (verdict, pages, now) = simulate(Config::default(), 60_000, 100_000);
    assert_eq!(verdict, Verdict::SwitchOver);
    assert!(pages <= 7168, "{pages} pages do not fit 280 ms");
    assert!(now < Duration::from_secs(90), "{now:?}");
}

#[test]
fn a_wild_guest_that_is_left_alone_runs_into_the_time_limit() {
    for (at_timeout, expected) in [
        (AtTimeout::Cancel, Verdict::TimedOut),
        (AtTimeout::Force, Verdict::SwitchOver),
    ] {
        let config = Config {
            throttling: None,
            timeout: Duration::from_secs(20),
            at_timeout,
            ..Config::default()
        };
        let (verdict, _, now) = simulate(config, 60_000, 100_000);
        assert_eq!(verdict, expected);
        assert!(now >= Duration::from_secs(20));
    }
}

proptest! {
    #[test]
    fn each_page_goes_once_and_always_by_the_same_stream(
        sizes in prop::collection::vec(1..5000u64, 1..4),
        streams in 1..9u16,
        noise in any::<u64>(),
    ) {
        let mut p = precopy(&sizes, streams, Config::default());
        let all = PageBitmap::all(p.layout());
        p.collected(ms(0), &all);
        p.begin_round(ms(0), false);
        let first = play(&mut p, streams, ms(0));
        prop_assert_eq!(first.len() as u64, p.layout().pages());
        prop_assert!(first.values().all(|by| by.len() == 1));
        prop_assert!(first.keys().all(|frame| p.layout().has(&(*frame..frame + 1))));
        let mut some = PageBitmap::none(p.layout());
        for slot in 0..sizes.len() {
            for (n, word) in (0..).zip(some.slot_mut(slot)) {
                *word = noise.rotate_left(n) & noise.rotate_right(7 * n);
            }
        }
        some.trim(&p.layout().clone());
        p.collected_last(ms(1), &some);
        p.begin_round(ms(1), true);
        let second = play(&mut p, streams, ms(1));
        prop_assert_eq!(second.len() as u64, some.count());
        prop_assert!(second.iter().all(|(frame, by)| first.get(frame) == Some(by)));
        prop_assert_eq!(p.remaining(), 0);
    }
}
