use std::net::TcpListener;
use std::time::SystemTime;

use virtio_dvs::link::pki::{make_ca, make_node};

use super::*;

/// Certificates of nodes 1 and 2, and of a node 3 that trusts their CA but comes from another.
fn certificates(directory: &Path) -> [Security; 3] {
    let now = SystemTime::now();
    make_ca(directory, now).unwrap();
    let stranger = directory.join("stranger");
    make_ca(&stranger, now).unwrap();
    let places = [(directory, 1), (directory, 2), (stranger.as_path(), 3)];
    for (directory, node) in places {
        make_node(directory, NodeId(node), &[], now).unwrap();
    }
    std::fs::copy(directory.join("ca.pem"), stranger.join("ca.pem")).unwrap();
    places.map(|(directory, node)| Security::load(Some(directory), NodeId(node)).unwrap())
}

/// Connects two sides; the dialling one wants node `wanted`.
fn connect(
    dialling: &Security,
    accepting: &Security,
    wanted: u32,
) -> (Result<Channel, String>, Result<Channel, String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        let accepted = scope.spawn(|| Channel::accept(listener.accept().unwrap().0, accepting));
        let dialled = Channel::dial(address, dialling, wanted);
        (dialled, accepted.join().unwrap())
    })
}

/// Both sides say much at once and hear what the other says.
fn talk(one: &Channel, other: &Channel) {
    const MUCH: usize = 3 << 20;
    std::thread::scope(|scope| {
        for (from, to, byte) in [(one, other, 1u8), (other, one, 2u8)] {
            let mut writer = from.writer().unwrap();
            let mut reader = to.reader().unwrap();
            scope.spawn(move || writer.write_all(&vec![byte; MUCH]).unwrap());
            scope.spawn(move || {
                let mut heard = vec![0; MUCH];
                reader.read_exact(&mut heard).unwrap();
                assert!(heard.iter().all(|it| *it == byte));
            });
        }
    });
}

#[test]
fn both_directions_are_independent() {
    let (one, other) = connect(&Security::Plain, &Security::Plain, 0);
    talk(&one.unwrap(), &other.unwrap());
    let directory = tempfile::tempdir().unwrap();
    let [first, second, _] = certificates(directory.path());
    let (one, other) = connect(&first, &second, 2);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(other.is_of(1) && !other.is_of(2));
    talk(&one, &other);
}

#[test]
fn the_end_of_a_channel_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second, _] = certificates(directory.path());
    for (one, other) in [
        connect(&Security::Plain, &Security::Plain, 0),
        connect(&first, &second, 2),
    ] {
        let mut reader = other.as_ref().unwrap().reader().unwrap();
        one.unwrap().close();
        // Without a farewell TLS takes it for what it may be: somebody cut it off.
        assert!(!matches!(reader.read(&mut [0; 8]), Ok(1..)));
    }
}

#[test]
fn strangers_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second, stranger] = certificates(directory.path());
    // Another node answers than the one that is wanted.
    let why = connect(&first, &second, 7).0.unwrap_err();
    assert!(why.contains("node-<id>.dvs"), "{why}");
    // The one who comes has a certificate of another CA.
    let why = connect(&stranger, &second, 2).1.unwrap_err();
    assert!(why.contains("the peer's certificate is refused"), "{why}");
    // One side speaks TLS, the other does not.
    let mut plain = connect(&Security::Plain, &second, 0);
    if let Ok(channel) = &plain.0 {
        drop(
            channel
                .writer()
                .unwrap()
                .write_all(b"DVSM\x01\0\0\0 and so on, and so on"),
        );
    }
    plain.0 = Err(String::new());
    drop(plain);
}
