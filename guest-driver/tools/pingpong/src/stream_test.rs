use super::*;

#[test]
fn addresses() {
    assert_eq!(
        Address::parse("unix:/tmp/a:b"),
        Ok(Address::Unix("/tmp/a:b"))
    );
    assert_eq!(
        Address::parse("tcp:10.0.0.1:7"),
        Ok(Address::Tcp("10.0.0.1:7"))
    );
    for text in ["", "unix:", "tcp:10.0.0.1", "udp:1:2", "/tmp/a"] {
        assert!(Address::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_closed_connection_is_no_error() {
    let listener = Address::Tcp("127.0.0.1:0").listen().expect("listens");
    let Listener::Tcp(socket) = &listener else {
        panic!("tcp")
    };
    let address = socket.local_addr().expect("an address").to_string();
    let mut client = Address::Tcp(&address).connect().expect("connects");
    let mut server = listener.accept().expect("accepts");
    client.send(b"ab").expect("sends");
    drop(client);
    let mut buffer = [0; 2];
    assert!(server.receive(&mut buffer).expect("receives"));
    assert!(!server.receive(&mut buffer).expect("ends"));
}
