//! VMMs that send nonsense: an error for them, nothing for anybody else.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::{Host, Vmm};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use virtio_dvs::frame::kind;
use virtio_dvs::spec::QUEUE_MSG_TX;
use virtio_dvs::testing::{Guest, MEMORY_SIZE, USER_BASE};
use virtio_dvs::vm::VmAttributes;
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

const GET_FEATURES: u32 = 1;
const SET_FEATURES: u32 = 2;
const SET_MEM_TABLE: u32 = 5;
const SET_VRING_NUM: u32 = 8;
const SET_VRING_ADDR: u32 = 9;
const SET_VRING_BASE: u32 = 10;
const GET_VRING_BASE: u32 = 11;
const SET_VRING_KICK: u32 = 12;
const SET_VRING_CALL: u32 = 13;
const SET_PROTOCOL_FEATURES: u32 = 16;

/// A message as the protocol lays it out.
fn message(request: u32, size: u32, body: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [request, 1, size] {
        bytes.extend(word.to_ne_bytes());
    }
    for word in body {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

/// A message with a body of these words.
fn words(request: u32, body: &[u64]) -> Vec<u8> {
    message(request, u32::try_from(8 * body.len()).unwrap(), body)
}

/// Index and value of a ring's message.
fn ring(index: u64, value: u64) -> u64 {
    index | value << 32
}

fn send(stream: &UnixStream, bytes: &[u8], fds: &[RawFd]) {
    stream.send_with_fds(&[bytes], fds).unwrap();
}

/// The node closes the connection, perhaps after an answer.
fn is_closed(mut stream: &UnixStream) {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

/// Two VMs that talk while a third one's VMM does as it likes.
struct Bystanders {
    host: Host,
    a: Vmm,
    b: Vmm,
}

impl Bystanders {
    fn new() -> Bystanders {
        let host = Host::new();
        let (a, b) = (host.vm(1), host.vm(2));
        host.client().attach(&VmAttributes::new(3, 1)).unwrap();
        Bystanders { host, a, b }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.host.socket(3)).unwrap()
    }

    fn talk(&mut self) {
        let frame = self
            .a
            .guest
            .frame_to(kind::RPL, 2, self.b.guest.incarnation);
        self.a.guest.send(&frame, &[]).unwrap();
        self.a.kick(QUEUE_MSG_TX);
        assert_eq!(self.b.wait_for(1), [frame]);
    }
}

#[test]
fn messages_that_are_nonsense() {
    let mut world = Bystanders::new();
    let guest = Guest::new(3).unwrap();
    let null = File::open("/dev/null").unwrap();
    let (memory, null) = (guest.file.as_raw_fd(), null.as_raw_fd());
    let region = |size| [1, 0, size, USER_BASE, 0];
    let short = File::options()
        .read(true)
        .write(true)
        .open(world.host.socket(1));
    assert!(short.is_err(), "a socket is no file");
    let cases: Vec<(&str, Vec<u8>, Vec<RawFd>)> = vec![
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![]),
        ("zeros", vec![0; 64], vec![]),
        ("unknown request", words(250, &[1]), vec![]),
        (
            "a length over the limit",
            message(SET_FEATURES, u32::MAX, &[1]),
            vec![],
        ),
        ("half a body", message(SET_FEATURES, 4, &[1]), vec![]),
        (
            "features that were not offered",
            words(SET_FEATURES, &[u64::MAX]),
            vec![],
        ),
        (
            "protocol features",
            words(SET_PROTOCOL_FEATURES, &[u64::MAX]),
            vec![],
        ),
        (
            "memory without a file",
            words(SET_MEM_TABLE, &region(MEMORY_SIZE)),
            vec![],
        ),
        (
            "memory with two files",
            words(SET_MEM_TABLE, &region(4096)),
            vec![memory; 2],
        ),
        ("no memory", words(SET_MEM_TABLE, &[0]), vec![]),
        (
            "more memory than the file",
            words(SET_MEM_TABLE, &region(MEMORY_SIZE * 2)),
            vec![memory],
        ),
        (
            "memory that wraps",
            words(SET_MEM_TABLE, &region(u64::MAX)),
            vec![memory],
        ),
        (
            "memory in a device",
            words(SET_MEM_TABLE, &region(4096)),
            vec![null],
        ),
        (
            "a queue that is not there",
            words(SET_VRING_NUM, &[ring(99, 8)]),
            vec![],
        ),
        (
            "a size of three",
            words(SET_VRING_NUM, &[ring(0, 3)]),
            vec![],
        ),
        (
            "a large base",
            words(SET_VRING_BASE, &[ring(0, 65536)]),
            vec![],
        ),
        (
            "a ring without memory",
            words(SET_VRING_ADDR, &[0, USER_BASE, USER_BASE, USER_BASE, 0]),
            vec![],
        ),
        (
            "a base of nothing",
            words(GET_VRING_BASE, &[ring(77, 0)]),
            vec![],
        ),
        ("no kick", words(SET_VRING_KICK, &[0x100]), vec![]),
        (
            "a kick without its descriptor",
            words(SET_VRING_KICK, &[0]),
            vec![],
        ),
        (
            "a kick that is no eventfd",
            words(SET_VRING_KICK, &[0]),
            vec![null],
        ),
        (
            "a call that is no eventfd",
            words(SET_VRING_CALL, &[0]),
            vec![memory],
        ),
        (
            "descriptors where none belong",
            words(SET_FEATURES, &[0]),
            vec![null; 3],
        ),
    ];
    for (name, bytes, fds) in cases {
        let stream = world.connect();
        send(&stream, &bytes, &fds);
        // Whoever waits for more of a message gets the end of it.
        if name == "half a body" || name == "a length over the limit" {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        is_closed(&stream);
        world.talk();
    }
    // The VM itself is not lost.
    let mut vmm = Vmm::start(&world.host.socket(3), 3);
    vmm.bind(1);
}

#[test]
fn many_messages_that_nobody_waits_for() {
    let mut world = Bystanders::new();
    let mut stream = world.connect();
    let sizes = words(SET_VRING_NUM, &[ring(0, 8)]).repeat(500);
    send(
        &stream,
        &[sizes.clone(), words(GET_FEATURES, &[])].concat(),
        &[],
    );
    let mut answer = [0; 20];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..4], GET_FEATURES.to_ne_bytes());
    world.talk();
    // One in the middle is refused: nothing that comes after it is answered.
    let wrong = words(SET_VRING_NUM, &[ring(0, 3)]);
    let all = [sizes.clone(), wrong, sizes, words(GET_FEATURES, &[])].concat();
    // The node may hang up before it has read all.
    stream.write_all(&all).ok();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok();
    assert!(rest.is_empty(), "{rest:?}");
    world.talk();
    Vmm::start(&world.host.socket(3), 3).bind(1);
}

#[test]
fn silent_vmms_hold_up_nobody() {
    let mut world = Bystanders::new();
    let mut silent = world.connect();
    // Half a header, and then nothing.
    silent.write_all(&[1, 0, 0, 0, 1]).unwrap();
    world.talk();
    // The second one finds the place taken.
    while !world.host.client().ports().unwrap()[2].connected {
        std::thread::yield_now();
    }
    is_closed(&world.connect());
    world.talk();
    drop(silent);
    while world.host.client().ports().unwrap()[2].connected {
        std::thread::yield_now();
    }
    Vmm::start(&world.host.socket(3), 3).bind(1);
}

#[test]
fn a_vm_that_is_detached_is_cut_off() {
    let mut world = Bystanders::new();
    let vmm = Vmm::start(&world.host.socket(3), 3);
    world.host.client().detach(3).unwrap();
    assert!(!world.host.socket(3).exists());
    let config = [0; 64];
    let flags = vhost::vhost_user::message::VhostUserConfigFlags::empty();
    let mut frontend = vmm.frontend;
    let read =
        vhost::vhost_user::VhostUserFrontend::get_config(&mut frontend, 0, 64, flags, &config);
    assert!(read.is_err());
    world.talk();
    // The id is free again.
    world.host.vm(3).bind(1);
}
