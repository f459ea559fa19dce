//! Machines on the real /dev/kvm that are logged, slowed down, saved, and go on as another machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod common;

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use common::{INTERRUPTED, INTERRUPTS, Step, VECTOR, kernel, print, serial_interrupts};
use dvs_migration::bitmap::PageBitmap;
use dvs_migration::layout::PAGE_SIZE;
use dvs_migration::message::{Part, Piece};
use dvs_vmm::devices::uart::{Output, Uart};
use dvs_vmm::machine::boot::Payload;
use dvs_vmm::machine::event::{GuestEvent, GuestEvents};
use dvs_vmm::machine::persist::{decode, encode};
use dvs_vmm::machine::{Machine, Parts};
use vm_memory::{Bytes, GuestAddress};

const MEMORY: u64 = 16 << 20;
const COUNTER: u64 = 0x80_0000;
const PAGES: u64 = 256;
const PAGE: usize = 4096;

/// A machine with what its guest prints.
struct Moving {
    machine: Machine,
    uart: Arc<Uart>,
    printed: UnixStream,
    events: mpsc::Receiver<GuestEvent>,
}

struct Events(mpsc::Sender<GuestEvent>);

impl GuestEvents for Events {
    fn report(&self, event: GuestEvent) {
        drop(self.0.send(event));
    }
}

impl Moving {
    fn build(kernel: Option<&Path>, vcpus: u8) -> Self {
        let output = Output::start("com1").unwrap();
        let (sink, printed) = UnixStream::pair().unwrap();
        output.set_sink(Some(Arc::new(File::from(OwnedFd::from(sink)))));
        let uart = Arc::new(Uart::new(output).unwrap());
        let parts = Parts {
            vcpus,
            memory: MEMORY,
            payload: kernel.map(|kernel| Payload {
                kernel: kernel.to_owned(),
                initramfs: None,
                cmdline: String::new(),
            }),
            uarts: [Some(uart.clone()), None],
            dvs: None,
        };
        let (sender, events) = mpsc::channel();
        Self {
            machine: Machine::build(&parts, Arc::new(Events(sender))).unwrap(),
            uart,
            printed,
            events,
        }
    }

    /// The second of its vCPUs is never started.
    fn with_script(script: &[Step]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::build(Some(&kernel(folder.path(), script)), 2)
    }

    fn empty() -> Self {
        Self::build(None, 2)
    }

    /// Waits until the guest has printed this.
    fn hears(&mut self, text: &str) {
        let mut seen = vec![0; text.len()];
        self.printed.read_exact(&mut seen).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&seen),
            text,
            "{:?}",
            self.events.try_recv()
        );
    }

    fn number(&self, address: u64) -> u64 {
        self.machine
            .memory()
            .read_obj(GuestAddress(address))
            .unwrap()
    }

    fn pages(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(MEMORY).unwrap()];
        self.machine
            .memory()
            .read_slice(&mut bytes, GuestAddress(0))
            .unwrap();
        bytes
    }

    /// Another machine that is what this one, which must be paused, is now.
    fn copy(&self) -> (Self, Vec<Piece>) {
        let asked = Instant::now();
        let pieces = self.machine.save().unwrap();
        println!("saved in {:?}", asked.elapsed());
        let copy = Self::empty();
        copy.machine
            .memory()
            .write_slice(&self.pages(), GuestAddress(0))
            .unwrap();
        copy.machine.rehearse().unwrap();
        let asked = Instant::now();
        copy.machine.restore(&pieces).unwrap();
        println!("restored in {:?}", asked.elapsed());
        (copy, pieces)
    }
}

/// The local APIC's timer, every 2 ms, then counting.
fn count() -> Vec<Step> {
    vec![
        Step::Write32(0xfee0_00f0, 0x1ff),
        Step::Write32(0xfee0_03e0, 0xb),
        Step::Write32(0xfee0_0320, 1 << 17 | u64::from(VECTOR)),
        Step::Write32(0xfee0_0380, 2_000_000),
        Step::CountForEver(COUNTER, PAGES),
    ]
}

#[test]
fn a_guest_goes_on_in_another_machine_exactly_where_it_was() {
    let mut source = Moving::with_script(&count());
    source.machine.resume();
    source.hears("...");
    let asked = Instant::now();
    source.machine.pause();
    println!("paused after {:?}", asked.elapsed());
    let (count, ticks) = (source.number(COUNTER), source.number(INTERRUPTS));
    let (mut copy, _) = source.copy();
    assert_eq!(copy.number(COUNTER), count);
    // The copy prints nothing but dots: its registers and its memory go together.
    copy.machine.resume();
    while copy.number(INTERRUPTS) == ticks {
        copy.hears(".");
    }
    assert!(copy.number(COUNTER) > count);
    // All this was nothing to the source.
    assert_eq!(source.number(COUNTER), count);
    source.machine.resume();
    while source.number(INTERRUPTS) == ticks {
        source.hears(".");
    }
}

#[test]
fn an_interrupt_that_is_pending_arrives_at_the_copy() {
    let flag = 0x90_0000;
    let script = [
        serial_interrupts(),
        print("?"),
        vec![Step::WaitOff16(flag, 1), Step::Wait16(INTERRUPTED, 1)],
        print("!"),
    ]
    .concat();
    let mut source = Moving::with_script(&script);
    source.machine.resume();
    source.hears("?");
    source.uart.input(b"k");
    source.machine.pause();
    let (mut copy, _) = source.copy();
    assert_eq!(copy.number(INTERRUPTED) & 1, 0);
    copy.machine
        .memory()
        .write_obj(1u16, GuestAddress(flag))
        .unwrap();
    copy.machine.resume();
    copy.hears("!");
    // What came in over the serial port is there as well.
    assert_eq!(copy.uart.room(), source.uart.room());
}

#[test]
fn what_was_loaded_is_saved_again_as_it_was() {
    let mut source = Moving::with_script(&[print("."), vec![Step::WaitOff16(0, 1)]].concat());
    source.machine.resume();
    source.hears(".");
    source.machine.pause();
    let (copy, pieces) = source.copy();
    let again = copy.machine.save().unwrap();
    assert_eq!(copy.machine.cpu(), source.machine.cpu());
    let is_still = |piece: &&Piece| {
        piece.part != Part::Clock && piece.name.as_str() != "interrupt-controllers"
    };
    let pairs = pieces
        .iter()
        .zip(&again)
        .filter(|(piece, _)| is_still(piece));
    for (before, after) in pairs {
        let differ = before.bytes.iter().zip(&after.bytes).enumerate();
        let differ: Vec<_> = differ.filter(|(_, (a, b))| a != b).collect();
        assert!(before == after, "{}: {differ:x?}", before.name);
    }
}

/// What the piece of the clock says: KVM's clock, the wall clock, kHz, and the time stamp counters.
type ClockState = (Duration, Duration, u32, Vec<u64>);

#[test]
fn the_time_that_a_move_takes_passes_for_the_guest() {
    let mut source = Moving::with_script(&count());
    source.machine.resume();
    source.hears(".");
    source.machine.pause();
    let mut pieces = source.machine.save().unwrap();
    let clock = pieces.iter_mut().find(|piece| piece.part == Part::Clock);
    let clock = clock.unwrap();
    let before: ClockState = decode(&clock.bytes).unwrap();
    // As if it had been saved a minute ago.
    let earlier = before.1 - Duration::from_secs(60);
    clock.bytes = encode(&(before.0, earlier, before.2, &before.3)).unwrap();
    let copy = Moving::empty();
    copy.machine.restore(&pieces).unwrap();
    let pieces = copy.machine.save().unwrap();
    let clock = pieces.iter().find(|piece| piece.part == Part::Clock);
    let after: ClockState = decode(&clock.unwrap().bytes).unwrap();
    let (passed, by_clock) = (after.1 - earlier, after.0 - before.0);
    let by_tsc = |(now, then): (&u64, &u64)| {
        Duration::from_micros((now - then) / (u64::from(after.2) / 1000))
    };
    let by_tscs: Vec<_> = after.3.iter().zip(&before.3).map(by_tsc).collect();
    println!("{passed:?} passed, {by_clock:?} by the clock, {by_tscs:?} by the counters");
    let is_about = |shown: Duration, expected| shown.abs_diff(expected) < Duration::from_secs(1);
    assert!(is_about(by_clock, passed));
    // Some KVMs without hardware virtualization cannot set the counters: the guest sees the host's own.
    let by_host = passed - Duration::from_secs(60);
    for shown in by_tscs {
        assert!(is_about(shown, passed) || is_about(shown, by_host));
    }
}

/// Copies these pages.
fn send(from: &Moving, pages: &PageBitmap, mirror: &mut [u8]) -> u64 {
    const WORDS: usize = 8;
    let batches = pages
        .slot(0)
        .chunks(WORDS)
        .zip((0u64..).step_by(WORDS * 64));
    for ((words, first), places) in batches.zip(mirror.chunks_mut(WORDS * 64 * PAGE)) {
        // As a stream does it: the bits of a batch first, then its pages.
        from.machine.clear_log(0, first, words).unwrap();
        for (page, place) in places.chunks_mut(PAGE).enumerate() {
            if words[page / 64] >> (page % 64) & 1 == 1 {
                let address = (first + page as u64) * PAGE_SIZE;
                from.machine
                    .memory()
                    .read_slice(place, GuestAddress(address))
                    .unwrap();
            }
        }
    }
    pages.count()
}

#[test]
fn the_log_has_every_page_that_a_guest_writes() {
    let mut source = Moving::with_script(&count());
    let mut mirror = vec![0; usize::try_from(MEMORY).unwrap()];
    source.machine.resume();
    source.hears(".");
    let populated = source.machine.start_log().unwrap();
    assert!(
        populated.count() < MEMORY / PAGE_SIZE,
        "not all is populated"
    );
    let mut sent = vec![send(&source, &populated, &mut mirror)];
    for _ in 0..5 {
        source.hears("..");
        let written = source.machine.collect_log().unwrap();
        sent.push(send(&source, &written, &mut mirror));
    }
    source.machine.pause();
    let written = source.machine.collect_log().unwrap();
    sent.push(send(&source, &written, &mut mirror));
    println!("pages of each round: {sent:?}");
    assert!(sent.last().unwrap() <= &(PAGES + 16));
    assert!(mirror == source.pages());
    assert_eq!(source.machine.collect_log().unwrap().count(), 0);
    source.machine.stop_log().unwrap();
    source.machine.resume();
    source.hears("....");
}

#[test]
fn a_guest_is_slowed_down_and_let_go() {
    let mut source = Moving::with_script(&count());
    source.machine.resume();
    source.hears(".");
    let rate = |source: &Moving| {
        let (start, time) = (source.number(COUNTER), Instant::now());
        std::thread::sleep(Duration::from_millis(400));
        (source.number(COUNTER) - start) as f64 / time.elapsed().as_secs_f64()
    };
    let free = rate(&source);
    source.machine.throttle(99).unwrap();
    let slow = rate(&source);
    let asked = Instant::now();
    source.machine.pause();
    let paused = asked.elapsed();
    source.machine.resume();
    source.machine.throttle(0).unwrap();
    source.hears("......");
    let free = rate(&source).max(free);
    println!("{free} a second, {slow} with 1 % of the time; paused after {paused:?}");
    assert!(slow < free / 2.0);
}

#[test]
fn a_halted_guest_is_paused_as_well() {
    let mut source = Moving::with_script(&print("."));
    source.machine.resume();
    source.hears(".");
    for percent in [0, 50] {
        source.machine.throttle(percent).unwrap();
        let asked = Instant::now();
        source.machine.pause();
        println!("halted at {percent} %: paused after {:?}", asked.elapsed());
        source.machine.resume();
    }
}

#[test]
fn nonsense_is_no_state() {
    let mut source = Moving::with_script(&count());
    source.machine.resume();
    source.hears(".");
    source.machine.pause();
    let pieces = source.machine.save().unwrap();
    let victim = Moving::empty().machine;
    let with = |index: usize, change: &dyn Fn(&mut Piece)| {
        let mut pieces = pieces.clone();
        change(&mut pieces[index]);
        victim.restore(&pieces)
    };
    for (index, piece) in pieces.iter().enumerate() {
        for len in [0, piece.bytes.len() / 2, piece.bytes.len() - 1] {
            assert!(
                with(index, &|piece| piece.bytes.truncate(len)).is_err(),
                "{} {len}",
                piece.name
            );
        }
        assert!(with(index, &|piece| piece.bytes.push(0)).is_err());
        assert!(with(index, &|piece| piece.version += 1).is_err());
        assert!(with(index, &|piece| piece.name = "nobody".into()).is_err());
        for seed in 0..32 {
            // Whatever comes of it, it is an answer.
            drop(with(index, &|piece| {
                let at = (seed * 2_654_435_761) % piece.bytes.len();
                piece.bytes[at] ^= 1 << (seed % 8);
            }));
        }
    }
    let twice = [pieces.clone(), vec![pieces[0].clone()]].concat();
    assert!(victim.restore(&twice).is_err());
    assert!(victim.restore(&pieces[1..]).is_err());
    let other = Moving::build(None, 3).machine;
    let error = other.restore(&pieces).unwrap_err().to_string();
    assert!(error.contains("vcpu2"), "{error}");
    // After all this the right ones are taken.
    victim.restore(&pieces).unwrap();
}
