use super::*;

#[test]
fn messages_there_and_back() {
    for request in [Request::Submit(10), Request::Next, Request::Result(4)] {
        assert_eq!(Request::decode(&request.encode()), Some(request));
    }
    for reply in [
        Reply::Answer(4),
        Reply::Full,
        Reply::Job(10),
        Reply::Wait,
        Reply::Refused,
    ] {
        assert_eq!(Reply::decode(&reply.encode()), Some(reply));
    }
    assert_eq!(Request::decode(b"S"), None);
    assert_eq!(Reply::decode(&[b'?'; SIZE]), None);
}

#[test]
fn primes() {
    let counts = [0, 2, 3, 10, 100, 1000].map(primes_below);
    assert_eq!(counts, [0, 0, 1, 4, 25, 168]);
}
