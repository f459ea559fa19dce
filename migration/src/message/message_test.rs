use super::*;
use crate::layout::{Layout, Slot};
use crate::pages::{Attempt, Batch, Compression, Content, Data, Run};
use proptest::prelude::*;
use std::fmt::Debug;
use std::time::Duration;

fn offer() -> Offer {
    let slot = |start| Slot {
        start,
        size: 1 << 20,
    };
    let leaf = CpuLeaf {
        function: 1,
        index: 0,
        registers: [1, 2, u32::MAX, 4],
    };
    Offer {
        attempt: Attempt([7; 16]),
        vm: 3,
        place: place(),
        cluster: "c".into(),
        machine: 1,
        vcpus: 2,
        layout: Layout::new(vec![slot(0), slot(1 << 32)]).unwrap(),
        cpu: Cpu {
            leaves: vec![leaf; 3],
            tsc_khz: 2_000_000,
        },
        devices: vec![Device {
            kind: "dvs".into(),
            version: 1,
            features: u64::MAX,
        }],
        config: b"{}".to_vec(),
        streams: 4,
        compression: Compression::Lz4,
    }
}

const fn place() -> Place {
    Place {
        node: 1,
        epoch: 5,
        life: 2,
    }
}

fn to_destination() -> Vec<ToDestination> {
    vec![
        ToDestination::Offer(Box::new(offer())),
        ToDestination::Figures(Figures {
            round: 2,
            expected_downtime: Some(Duration::from_micros(1500)),
            remaining_pages: u64::MAX,
            dirty_pages_per_s: u64::MAX,
            throttle_percent: 99,
        }),
        ToDestination::Piece(Piece {
            part: Part::Vcpu,
            name: "0".into(),
            version: 1,
            bytes: vec![1; 5000],
        }),
        ToDestination::HandOver(HandOver {
            place: place(),
            round: 4,
            pieces: 12,
            pause: Duration::from_millis(1),
            drain: Duration::MAX,
            last_pass: Duration::ZERO,
        }),
        ToDestination::Abort("cancelled".into()),
    ]
}

fn to_source() -> Vec<ToSource> {
    vec![
        ToSource::Accept(Accept {
            node: 2,
            streams: 2,
            compression: Compression::None,
            port: 7500,
        }),
        ToSource::Refuse(vec!["no memory".into(); MAX_REASONS]),
        ToSource::RoundApplied(u32::MAX),
        ToSource::Ready,
        ToSource::Committed(place()),
        ToSource::Resumed,
        ToSource::Returned("no thread".into()),
        ToSource::Aborted("x".repeat(3000).as_str().into()),
    ]
}

fn data() -> Vec<Data> {
    let run = Run {
        frame: u64::MAX,
        pages: u32::MAX,
        content: Content::Zero,
    };
    vec![
        Data::Join {
            attempt: Attempt([0xff; 16]),
            stream: u16::MAX,
        },
        Data::Batch(Batch {
            runs: vec![run; 512],
            compression: Compression::Zstd,
            payload: u32::MAX,
        }),
        Data::RoundEnd {
            round: u32::MAX,
            last: true,
        },
    ]
}

fn written<M: Message>(messages: &[M]) -> Vec<u8> {
    let mut to = StreamWriter::begin(Vec::new()).unwrap();
    for message in messages {
        send(&mut to, message).unwrap();
    }
    to.end().unwrap()
}

fn read<M: Message>(bytes: &[u8]) -> (Vec<M>, MessageError) {
    let mut from = match StreamReader::begin(bytes, M::KNOWN) {
        Ok(from) => from,
        Err(error) => return (Vec::new(), error.into()),
    };
    let mut all = Vec::new();
    loop {
        match receive(&mut from) {
            Ok(message) => all.push(message),
            Err(error) => return (all, error),
        }
    }
}

fn round_trip<M: Message + PartialEq + Debug>(messages: &[M]) {
    let (all, end) = read::<M>(&written(messages));
    assert_eq!(all, messages);
    assert!(matches!(end, MessageError::Ended), "{end}");
}

#[test]
fn everything_comes_back() {
    round_trip(&to_destination());
    round_trip(&to_source());
    round_trip(&data());
}

#[test]
fn a_direction_refuses_what_belongs_to_the_other() {
    let (all, error) = read::<ToSource>(&written(&to_destination()));
    assert!(all.is_empty() && error.to_string().contains("unknown kind 1"));
    let (all, _) = read::<Data>(&written(&to_source()));
    assert!(all.is_empty());
    let section = ToSource::Ready.section().unwrap();
    assert!(matches!(
        ToDestination::read(&section),
        Err(MessageError::Misplaced(READY))
    ));
}

#[test]
fn a_body_ends_where_its_section_does() {
    for message in to_source() {
        let mut section = message.section().unwrap();
        section.bytes.push(0);
        assert!(ToSource::read(&section).is_err(), "{message:?}");
    }
}

#[test]
fn machines_that_cannot_be_are_refused() {
    type Change = fn(&mut Offer);
    let changes: [Change; 8] = [
        |o| o.vcpus = 0,
        |o| o.vcpus = 1025,
        |o| o.cpu.leaves = vec![CpuLeaf::default(); 513],
        |o| o.devices = vec![o.devices[0].clone(); 257],
        |o| o.devices[0].kind = "k".repeat(65).as_str().into(),
        |o| o.config = vec![0; (64 << 10) + 1],
        |o| o.streams = 0,
        |o| o.streams = 65,
    ];
    for change in changes {
        let mut offer = offer();
        change(&mut offer);
        let section = ToDestination::Offer(Box::new(offer)).section().unwrap();
        let error = ToDestination::read(&section).unwrap_err();
        assert!(error.to_string().contains("there must be"), "{error}");
    }
}

#[test]
fn an_offer_at_its_limits_fits_its_section() {
    let mut offer = offer();
    let leaf = CpuLeaf {
        function: u32::MAX,
        index: u32::MAX,
        registers: [u32::MAX; 4],
    };
    offer.cpu.leaves = vec![leaf; 512];
    offer.config = vec![0; 64 << 10];
    offer.devices[0].kind = "k".repeat(64).as_str().into();
    offer.devices = vec![offer.devices[0].clone(); 256];
    offer.check().unwrap();
    written(&[ToDestination::Offer(Box::new(offer))]);
}

#[test]
fn more_reasons_than_there_may_be_are_not_sent_and_not_taken() {
    let many = vec![Text::from("no"); MAX_REASONS + 1];
    let section = ToSource::Refuse(many.clone()).section().unwrap();
    assert_eq!(
        ToSource::read(&section).unwrap(),
        ToSource::Refuse(many[1..].to_vec())
    );
    let section = encode(REFUSE, &many).unwrap();
    assert!(ToSource::read(&section).is_err());
}

#[test]
fn what_is_too_long_is_not_written() {
    let piece = Piece {
        part: Part::Device,
        name: "big".into(),
        version: 1,
        bytes: vec![0; 17 << 20],
    };
    let mut to = StreamWriter::begin(Vec::new()).unwrap();
    assert!(send(&mut to, &ToDestination::Piece(piece)).is_err());
    assert_eq!(to.inner().len(), 8);
}

/// Changes bytes of a good stream and mends the checksum, so that the decoder behind it is reached.
fn mutated<M: Message>(message: &M, changes: &[(usize, u8)]) -> Section {
    let mut section = message.section().unwrap();
    let length = section.bytes.len();
    for (at, value) in changes.iter().filter(|_| length > 0) {
        section.bytes[at % length] = *value;
    }
    section
}

proptest! {
    #[test]
    fn no_change_to_a_message_is_too_strange(
        which in 0..16usize,
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8),
        cut in any::<usize>(),
    ) {
        fn look<M: Message>(messages: &[M], which: usize, changes: &[(usize, u8)], cut: usize) {
            let mut section = mutated(&messages[which % messages.len()], changes);
            let _ = M::read(&section);
            section.bytes.truncate(cut % (section.bytes.len() + 1));
            let _ = M::read(&section);
        }
        look(&to_destination(), which, &changes, cut);
        look(&to_source(), which, &changes, cut);
        look(&data(), which, &changes, cut);
    }

    #[test]
    fn no_body_is_too_strange(kind in 0..40u16, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let section = Section { kind, version: 1, bytes };
        let _ = ToDestination::read(&section);
        let _ = ToSource::read(&section);
        let _ = Data::read(&section);
    }

    #[test]
    fn a_stated_length_costs_nothing(length in any::<u64>()) {
        // A piece whose bytes are said to be many, and are not there.
        let mut bytes = postcard::to_allocvec(&(Part::Vcpu, "0", 1u16, length)).unwrap();
        bytes.push(1);
        let section = Section { kind: PIECE, version: 1, bytes };
        prop_assert!(length == 1 || ToDestination::read(&section).is_err());
    }
}
