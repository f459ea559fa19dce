use super::*;

#[test]
fn addresses() {
    let parse = str::parse::<Address>;
    assert_eq!(parse("unix:/tmp/a:b"), Ok(Address::Unix("/tmp/a:b".into())));
    assert_eq!(
        parse("tcp:10.0.0.1:7"),
        Ok(Address::Tcp("10.0.0.1:7".into()))
    );
    assert_eq!(parse("pipe:/tmp/p"), Ok(Address::Pipe("/tmp/p".into())));
    assert_eq!(
        parse("vsock:3:7000"),
        Ok(Address::Vsock(VsockAddr::new(3, 7000)))
    );
    assert_eq!(parse("dvs:-2"), Ok(Address::Dvs(-2)));
    for text in [
        "",
        "unix:",
        "tcp:10.0.0.1",
        "udp:1:2",
        "/tmp/a",
        "dvs:x",
        "pipe:",
        "vsock:3",
        "vsock:x:1",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

fn echo_once(listener: &Listener, size: usize) {
    let mut line = listener.accept().expect("accepts");
    let mut message = vec![0; size];
    assert!(line.receive(&mut message).expect("receives"));
    line.send(&message).expect("sends");
    // The client closes.
    assert!(!line.receive(&mut message).expect("ends"));
}

#[test]
fn every_line_carries_messages_and_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    for address in [Address::Unix(path("socket")), Address::Pipe(path("pipe"))] {
        let listener = address.listen().expect("listens");
        let server = std::thread::spawn(move || echo_once(&listener, 3));
        let mut line = address.connect().expect("connects");
        line.send(b"abc").expect("sends");
        let mut message = [0; 3];
        assert!(line.receive(&mut message).expect("receives"));
        assert_eq!(&message, b"abc");
        drop(line);
        server.join().expect("no panic");
    }
}
