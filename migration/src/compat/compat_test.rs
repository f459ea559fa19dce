use super::*;
use crate::layout::{Layout, Slot};
use crate::message::CpuLeaf;
use crate::pages::Attempt;
use crate::place::Place;

fn leaf(function: u32, registers: [u32; 4]) -> CpuLeaf {
    CpuLeaf {
        function,
        index: 0,
        registers,
    }
}

fn cpu() -> Cpu {
    Cpu {
        leaves: vec![
            leaf(0, [0xd, 1, 2, 3]),
            leaf(1, [0, 0, 0b1100, 0b1]),
            leaf(7, [0, 0xff, 0, 0]),
            leaf(0x8000_0008, [48, 0, 0, 0]),
        ],
        tsc_khz: 2_000_000,
    }
}

fn device(version: u16, features: u64) -> Device {
    Device {
        kind: "dvs".into(),
        version,
        features,
    }
}

fn host() -> Host {
    Host {
        node: 2,
        cluster: "c".into(),
        machine: 1,
        vcpus: 4,
        memory: 1 << 30,
        cpu: cpu(),
        tsc_scaling: false,
        devices: vec![device(2, 0b111)],
        compression: vec![Compression::Lz4],
        streams: 4,
        port: 7500,
    }
}

fn offer() -> Offer {
    let slot = Slot {
        start: 0,
        size: 1 << 30,
    };
    Offer {
        attempt: Attempt([3; 16]),
        vm: 9,
        place: Place {
            node: 1,
            epoch: 1,
            life: 1,
        },
        cluster: "c".into(),
        machine: 1,
        vcpus: 4,
        layout: Layout::new(vec![slot]).unwrap(),
        cpu: cpu(),
        devices: vec![device(1, 0b11)],
        config: vec![],
        streams: 4,
        compression: Compression::Lz4,
    }
}

#[test]
fn the_same_host_elsewhere_will_do() {
    assert_eq!(obstacles(&offer(), &host()), []);
}

#[test]
fn each_obstacle_has_its_sentence() {
    type Change = fn(&mut Offer, &mut Host);
    let cases: &[(Change, &str)] = &[
        (|o, _| o.cluster = "d".into(), "only within its cluster"),
        (|o, _| o.place.node = 2, "already"),
        (|o, _| o.machine = 2, "same release"),
        (|o, _| o.vcpus = 5, "virtual CPUs"),
        (|_, h| h.memory -= 1, "1023 MiB"),
        (|o, _| o.devices[0].version = 3, "version 3"),
        (|o, _| o.devices[0].features = 0b1011, "0x8"),
        (|o, _| o.devices[0].kind = "tap".into(), "no device \"tap\""),
        (|_, h| h.cpu.leaves[0].registers[1] = 7, "makers"),
        (|_, h| h.cpu.leaves[3].registers[0] = 46, "48 bits"),
        (
            |_, h| h.cpu.leaves[2].registers[1] = 0x7f,
            "0x00000080 of EBX",
        ),
        (|_, h| h.cpu.leaves[1].function = 9, "leaf 0x1, 0"),
        (|_, h| h.cpu.tsc_khz += 501, "2000501 kHz"),
    ];
    for (change, sentence) in cases {
        let (mut offer, mut host) = (offer(), host());
        change(&mut offer, &mut host);
        let found = obstacles(&offer, &host);
        assert!(
            found.iter().any(|o| o.as_str().contains(sentence)),
            "{sentence}: {found:?}"
        );
    }
}

#[test]
fn what_changes_by_itself_or_can_be_scaled_is_no_obstacle() {
    let (mut offer, mut host) = (offer(), host());
    offer.cpu.leaves[1].registers[2] |= 1 << 27;
    host.cpu.tsc_khz = 3_000_000;
    host.tsc_scaling = true;
    assert_eq!(obstacles(&offer, &host), []);
    host.tsc_scaling = false;
    host.cpu.tsc_khz = 2_000_500;
    assert_eq!(obstacles(&offer, &host), []);
}

#[test]
fn a_long_list_is_cut() {
    let (mut offer, host) = (offer(), host());
    offer.devices = (0..100)
        .map(|n| Device {
            kind: format!("x{n}").into(),
            ..device(1, 0)
        })
        .collect();
    assert_eq!(obstacles(&offer, &host).len(), MAX_REASONS);
}
