use super::*;

fn bytes(kind: Kind, sequence: u64, sends: u32, notifies: u32) -> Vec<u8> {
    Header {
        kind,
        sequence,
        sends,
        notifies,
    }
    .message(48)
}

#[test]
fn a_good_client_has_no_faults() {
    let mut client = Client::default();
    client.answer(&bytes(Kind::Request, 0, 0, 0));
    client.message(&bytes(Kind::Message, 0, 0, 0));
    client.notifies += 1;
    let (kind, reply) = client.answer(&bytes(Kind::Request, 1, 1, 1));
    assert_eq!(kind, Some(Kind::Request));
    let reply = Header::check(&reply).unwrap();
    assert_eq!((reply.sequence, reply.sends, reply.notifies), (1, 1, 1));
    let (kind, reply) = client.answer(&bytes(Kind::Finish, 2, 1, 1));
    assert_eq!(kind, Some(Kind::Finish));
    let faults = Faults::decode(&reply.try_into().unwrap());
    assert_eq!(faults, Faults::default());
}

#[test]
fn a_send_that_did_not_come_before_the_next_request_is_lost() {
    let mut client = Client::default();
    client.answer(&bytes(Kind::Request, 0, 1, 0));
    assert_eq!(client.faults().lost, 1);
}

#[test]
fn a_notification_that_did_not_come_is_an_error() {
    let mut client = Client::default();
    client.answer(&bytes(Kind::Request, 0, 0, 1));
    assert_eq!(client.faults().errors, 1);
}

#[test]
fn requests_that_did_not_come_before_the_finish_are_lost() {
    let mut client = Client::default();
    client.answer(&bytes(Kind::Finish, 3, 0, 0));
    assert_eq!(client.faults().lost, 3);
}

#[test]
fn nonsense_is_an_error_and_gets_an_answer() {
    let mut client = Client::default();
    assert_eq!(client.answer(b"nonsense"), (None, Vec::new()));
    client.message(&bytes(Kind::Request, 0, 0, 0));
    assert_eq!(client.faults().errors, 2);
}
