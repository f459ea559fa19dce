//! What can happen in a history.

use super::calls::How;
use super::memory::{FRAME, LONGEST};
use proptest::prelude::*;

pub const VMS: u32 = 3;
pub const NUMBERS: usize = 6;
/// How long copies are: some of one frame, some of several.
pub const BYTES: [usize; 3] = [1, FRAME + 1, LONGEST];

/// Endpoints are named by their place among the numbers, VMs from 1.
#[derive(Clone, Debug)]
pub enum Event {
    Bind(u32, usize),
    Unbind(usize),
    Send(usize, To, How),
    Sendrec(usize, To, How),
    Receive(usize, Option<To>, bool, bool),
    /// Answers one of the requests received, by its token or just by who asked.
    Answer(usize, bool),
    ReplyTo(usize, To),
    Notify(usize, To, u8),
    /// Hands one of the requests received on.
    Relay(usize, To, bool),
    Wakeup(usize, usize),
    AwaitBind(usize, usize),
    AwaitUnbind(usize, usize),
    Shutdown(usize),
    /// By whom, from whom and to whom, how long it is; between those who have a call under way, if
    /// so wanted: most others do not wait.
    Copy(usize, [To; 2], usize, bool),
    /// One piece of what shells do for copies.
    Work(u32),
    Rights(usize, u8),
    Cancel(usize, bool),
    Abandon(usize),
    KillVm(u32),
    /// A new life of a VM, with which its processes go on, when all is at rest.
    Renew(u32),
    /// Of a message's frame, or of one with data.
    Fate(u8, bool),
    Release(usize),
    Step(u32),
    Retry,
    /// Time passes, and the timers are late.
    Silence,
    Rest,
}

/// An endpoint, and which of its lives is meant.
#[derive(Clone, Copy, Debug)]
pub struct To(pub usize, pub Which);

#[derive(Clone, Copy, Debug)]
pub enum Which {
    Any,
    Present,
    Past,
}

fn to() -> impl Strategy<Value = To> {
    let which = prop_oneof![
        6 => Just(Which::Any),
        2 => Just(Which::Present),
        1 => Just(Which::Past),
    ];
    (0..NUMBERS, which).prop_map(|(ep, which)| To(ep, which))
}

fn how() -> impl Strategy<Value = How> {
    let flags = (prop::bool::weighted(0.2), any::<bool>());
    flags.prop_map(|(nowait, sole)| How { nowait, sole })
}

pub fn event() -> impl Strategy<Value = Event> {
    let ep = 0..NUMBERS;
    let rarely = || prop::bool::weighted(0.2);
    prop_oneof![
        2 => (1..=VMS, ep.clone()).prop_map(|(vm, ep)| Event::Bind(vm, ep)),
        1 => ep.clone().prop_map(Event::Unbind),
        6 => (ep.clone(), to(), how()).prop_map(|(a, b, h)| Event::Send(a, b, h)),
        7 => (ep.clone(), to(), how()).prop_map(|(a, b, h)| Event::Sendrec(a, b, h)),
        10 => (ep.clone(), prop::option::weighted(0.3, to()), rarely(), rarely())
            .prop_map(|(a, b, r, n)| Event::Receive(a, b, r, n)),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(i, t)| Event::Answer(i, t)),
        1 => (ep.clone(), to()).prop_map(|(a, b)| Event::ReplyTo(a, b)),
        4 => (ep.clone(), to(), 0..8u8).prop_map(|(a, b, s)| Event::Notify(a, b, s)),
        3 => (any::<usize>(), to(), any::<bool>()).prop_map(|(i, b, t)| Event::Relay(i, b, t)),
        2 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::Wakeup(a, b)),
        1 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::AwaitBind(a, b)),
        1 => (ep.clone(), ep.clone()).prop_map(|(a, b)| Event::AwaitUnbind(a, b)),
        1 => ep.clone().prop_map(Event::Shutdown),
        6 => (ep.clone(), [to(), to()], 0..BYTES.len(), prop::bool::weighted(0.8))
            .prop_map(|(r, ends, n, apt)| Event::Copy(r, ends, n, apt)),
        12 => (1..=VMS).prop_map(Event::Work),
        1 => (ep, 0..4u8).prop_map(|(a, r)| Event::Rights(a, r)),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(i, s)| Event::Cancel(i, s)),
        1 => any::<usize>().prop_map(Event::Abandon),
        1 => (1..=VMS).prop_map(Event::KillVm),
        2 => (1..=VMS).prop_map(Event::Renew),
        8 => (0..4u8, any::<bool>()).prop_map(|(f, b)| Event::Fate(f, b)),
        3 => any::<usize>().prop_map(Event::Release),
        12 => (1..=VMS).prop_map(Event::Step),
        1 => Just(Event::Retry),
        1 => Just(Event::Silence),
        12 => Just(Event::Rest),
    ]
}

/// The number at that place.
pub fn number(ep: usize) -> i32 {
    // The last one is a user's.
    if ep == NUMBERS - 1 {
        return 40;
    }
    i32::try_from(ep).unwrap() + 10
}
