//! What a front-end needs for a VM that moves: the dirty log, rings that are drained, the state.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::etcd::Etcd;
use common::{Host, LOG_ALL, Vmm};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use vhost::vhost_user::message::{VhostTransferStateDirection, VhostTransferStatePhase};
use vhost::vhost_user::{VhostUserFrontend, VhostUserProtocolFeatures};
use vhost::{VhostBackend, VhostUserDirtyLogRegion};
use virtio_dvs::device::session::PROTOCOL_FEATURES;
use virtio_dvs::frame::kind;
use virtio_dvs::spec::{QUEUE_COUNT, QUEUE_MSG_TX};
use virtio_dvs::testing::MEMORY_SIZE;
use virtio_dvs::vm::VmAttributes;

const LOG_SIZE: u64 = MEMORY_SIZE / 4096 / 8;

/// A log of `size` bytes.
fn log(size: u64) -> File {
    let fd = memfd_create("log", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    fd.into()
}

fn region(log: &File, offset: u64, size: u64) -> VhostUserDirtyLogRegion {
    VhostUserDirtyLogRegion {
        mmap_size: size,
        mmap_offset: offset,
        mmap_handle: log.as_raw_fd(),
    }
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Has the writes into the guest's memory noted.
fn follow(vmm: &mut Vmm) -> File {
    let log = log(LOG_SIZE);
    let region = region(&log, 0, LOG_SIZE);
    vmm.frontend.set_log_base(0, Some(region)).unwrap();
    vmm.frontend.set_features(vmm.features | LOG_ALL).unwrap();
    log
}

/// Takes all rings back.
fn stop(vmm: &mut Vmm) -> [u16; QUEUE_COUNT] {
    let base = |queue| vmm.frontend.get_vring_base(queue).unwrap();
    [0, 1, 2, 3, 4].map(|queue| u16::try_from(base(queue)).unwrap())
}

fn save(vmm: &Vmm) -> Vec<u8> {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let no_file = vmm.frontend.set_device_state_fd(
        VhostTransferStateDirection::SAVE,
        VhostTransferStatePhase::STOPPED,
        writer.into(),
    );
    assert!(no_file.unwrap().is_none());
    let mut state = Vec::new();
    reader.read_to_end(&mut state).unwrap();
    vmm.frontend.check_device_state().unwrap();
    state
}

fn load(vmm: &Vmm, state: &[u8]) -> vhost::Result<()> {
    let (reader, mut writer) = std::io::pipe().unwrap();
    load_from(vmm, reader.into())?;
    writer.write_all(state).unwrap();
    drop(writer);
    vmm.frontend.check_device_state()
}

fn load_from(vmm: &Vmm, file: OwnedFd) -> vhost::Result<()> {
    let (direction, phase) = (
        VhostTransferStateDirection::LOAD,
        VhostTransferStatePhase::STOPPED,
    );
    vmm.frontend
        .set_device_state_fd(direction, phase, file)
        .map(drop)
}

/// One frame from one VM to another.
fn talk(from: &mut Vmm, to: &mut Vmm) {
    let frame = from
        .guest
        .frame_to(kind::RPL, to.guest.vm, to.guest.incarnation);
    from.guest.send(&frame, &[]).unwrap();
    from.kick(QUEUE_MSG_TX);
    assert_eq!(to.wait_for(1), [frame]);
}

#[test]
fn what_changed_while_the_vm_ran_is_in_the_log_when_its_rings_are_stopped() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    let log = follow(&mut b);
    let before = contents(&b.guest.file);
    // The guest itself writes nothing but its available rings, where it gives buffers back.
    for _ in 0..50 {
        talk(&mut a, &mut b);
    }
    let bases = stop(&mut b);
    assert_eq!(bases, [0, 51, 0, 0, 0]);
    let (after, bits) = (contents(&b.guest.file), contents(&log));
    let own = usize::try_from(b.guest.rings[1].available / 4096).unwrap();
    let descriptors = usize::try_from(b.guest.rings[1].descriptors / 4096).unwrap();
    let mut changes = 0;
    for (page, (old, new)) in before.chunks(4096).zip(after.chunks(4096)).enumerate() {
        let is_noted = bits[page / 8] & (1 << (page % 8)) != 0;
        let by_the_guest = page == own || page == descriptors;
        assert!(old == new || is_noted || by_the_guest, "page {page}");
        changes += usize::from(old != new);
    }
    assert!(changes >= 3, "{changes}");
    // Stopped rings write nothing, and the life goes on.
    let life = b.guest.incarnation;
    b.set_up(&bases);
    assert_eq!(b.wait_for(1)[0].kind, kind::RETRY);
    assert_eq!(b.read_config().incarnation.get(), life);
    b.frontend.set_features(b.features).unwrap();
    talk(&mut a, &mut b);
}

#[test]
fn rings_that_are_stopped_for_a_move_are_no_reset() {
    let host = Host::new();
    host.client().attach(&VmAttributes::new(1, 0)).unwrap();
    let stream = UnixStream::connect(host.socket(1)).unwrap();
    let mut vmm = Vmm::connect_on(stream, 1);
    vmm.negotiate(PROTOCOL_FEATURES - VhostUserProtocolFeatures::RESET_DEVICE);
    vmm.guest.post_receive().unwrap();
    vmm.set_up(&[0; QUEUE_COUNT]);
    let _log = follow(&mut vmm);
    vmm.wait_for(1);
    let life = vmm.read_config().incarnation.get();
    let bases = stop(&mut vmm);
    save(&vmm);
    assert_eq!(vmm.read_config().incarnation.get(), life);
    vmm.set_up(&bases);
    assert_eq!(vmm.wait_for(1)[0].kind, kind::RETRY);
    // Otherwise it is one.
    vmm.frontend.set_features(vmm.features).unwrap();
    stop(&mut vmm);
    assert!(vmm.read_config().incarnation.get() > life);
}

#[test]
fn a_state_goes_out_and_in() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    talk(&mut a, &mut b);
    let bases = stop(&mut b);
    let state = save(&b);
    assert_eq!(save(&b), state, "saving changes nothing");
    load(&b, &state).unwrap();
    b.set_up(&bases);
    assert_eq!(b.wait_for(1)[0].kind, kind::RETRY);
    talk(&mut a, &mut b);
    // What is refused is refused in an answer, and changes nothing either.
    assert!(load(&b, &state).is_err(), "its rings are in use");
    stop(&mut a);
    let mut others = save(&a);
    for state in [&state[..], b"garbage", &[], &[0; 65536]] {
        assert!(load(&a, state).is_err());
    }
    others.push(0);
    assert!(load(&a, &others).is_err());
    assert!(a.frontend.check_device_state().is_err(), "there was none");
    // Files and pipes that nobody closes hold up nobody.
    assert!(load_from(&a, log(4096).into()).is_err());
    let (reader, writer) = std::io::pipe().unwrap();
    load_from(&a, reader.into()).unwrap();
    assert!(a.frontend.check_device_state().is_err());
    drop(writer);
    a.set_up(&[1, 1, 0, 0, 0]);
    assert_eq!(a.wait_for(1)[0].kind, kind::RETRY);
    talk(&mut b, &mut a);
}

#[test]
fn logs_that_are_refused_end_the_connection() {
    let host = Host::new();
    let (mut a, mut b) = (host.vm(1), host.vm(2));
    // In a container of its own, so that nobody is told when it is gone.
    host.client().attach(&VmAttributes::new(3, 1)).unwrap();
    let unsealed = tempfile::tempfile().unwrap();
    unsealed.set_len(LOG_SIZE).unwrap();
    let good = log(4096);
    let cases = [
        ("too small", region(&good, 0, LOG_SIZE - 1)),
        ("nothing", region(&good, 0, 0)),
        ("not aligned", region(&good, 8, LOG_SIZE)),
        ("behind the file", region(&good, 4096, LOG_SIZE)),
        ("longer than the file", region(&good, 0, 8192)),
        ("wraps", region(&good, u64::MAX, 2)),
        ("can be shortened", region(&unsealed, 0, LOG_SIZE)),
    ];
    for (name, region) in cases {
        let vmm = host.vm_again(3);
        assert!(
            vmm.frontend.set_log_base(0, Some(region)).is_err(),
            "{name}"
        );
        assert!(vmm.frontend.get_features().is_err(), "{name}");
        talk(&mut a, &mut b);
    }
    // Writes that are to be noted nowhere.
    let vmm = host.vm_again(3);
    assert!(vmm.frontend.set_features(vmm.features | LOG_ALL).is_err());
    drop(vmm);
    // A second log takes the place of the first.
    let mut vmm = host.vm_again(3);
    let first = follow(&mut vmm);
    let second = follow(&mut vmm);
    vmm.bind(5);
    stop(&mut vmm);
    assert!(contents(&first).iter().all(|byte| *byte == 0));
    assert!(contents(&second).iter().any(|byte| *byte != 0));
    talk(&mut b, &mut a);
}

#[test]
fn another_node_goes_on_with_log_rings_and_state() {
    let etcd = Etcd::start();
    let (one, two) = (etcd.host(1), etcd.host(2));
    let mut server = one.vm(1);
    let mut near = one.vm(2);
    talk(&mut near, &mut server);
    let place = one.client().place(1).unwrap();
    let attached = two.client().prepare(1, place).unwrap();
    let stream = UnixStream::connect(attached.socket).unwrap();
    let log = follow(&mut server);
    talk(&mut near, &mut server);
    one.client().hold(1).unwrap();
    let bases = stop(&mut server);
    assert!(contents(&log).iter().any(|byte| *byte != 0));
    let state = save(&server);
    // There everything is taken, and nothing is touched, before it is theirs.
    let Vmm {
        guest, frontend, ..
    } = server;
    let before = contents(&guest.file);
    let mut server = Vmm::with_guest(stream, guest);
    stop(&mut near);
    assert!(
        load(&server, &save(&near)).is_err(),
        "the state of another VM"
    );
    load(&server, &state).unwrap();
    server.set_up(&bases);
    server.kick(QUEUE_MSG_TX);
    server.read_config();
    assert!(contents(&server.guest.file) == before);
    let taken = two.client().take(1, place).unwrap().place.unwrap();
    assert_eq!((taken.node, taken.incarnation), (2, place.incarnation));
    assert_eq!(server.wait_for(1)[0].kind, kind::RETRY);
    drop(frontend);
    one.client().forget(1).unwrap();
    server.bind(10);
}
