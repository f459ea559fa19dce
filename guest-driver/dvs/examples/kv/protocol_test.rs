use super::*;
use dvs::Address;

fn grant() -> Option<GrantKey> {
    Some(GrantKey {
        owner: Address {
            number: 40,
            generation: 3,
        },
        id: 9.try_into().unwrap(),
        bytes: 1 << 20,
    })
}

#[test]
fn requests_there_and_back() {
    for action in [
        Action::Put(grant()),
        Action::Put(None),
        Action::Get(grant()),
        Action::Delete,
    ] {
        let key = [b'k'; KEY_MAX];
        let request = Request { action, key: &key };
        let bytes = request.encode();
        assert!(bytes.len() <= MESSAGE_MAX);
        assert_eq!(Request::decode(&bytes), Some(request));
    }
}

#[test]
fn replies_there_and_back() {
    for reply in [
        Reply::Done(u64::MAX),
        Reply::NotFound,
        Reply::NoRoom(1),
        Reply::Full,
        Reply::Refused,
    ] {
        assert_eq!(Reply::decode(&reply.encode()), Some(reply));
    }
}

#[test]
fn nonsense() {
    assert_eq!(Request::decode(b""), None);
    assert_eq!(Request::decode(&[GET; 24]), None);
    assert_eq!(Request::decode(&[77; 40]), None);
    assert_eq!(Reply::decode(&[5; Reply::SIZE]), None);
    assert_eq!(Reply::decode(&[0; 4]), None);
}
