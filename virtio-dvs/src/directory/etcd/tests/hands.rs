//! Endpoints that change hands.

use super::support::*;
use crate::directory::{
    Answer, BoundRecord, Directory, DirectoryError, Owner, Request, Taken, Token,
};
use crate::privileges::Privileges;
use std::num::NonZeroU64;

const RIGHTS: Privileges = Privileges {
    calls: 1 << 40 | 3,
    ipc_to: u64::MAX - 1,
    level: 1,
};

fn token(number: u64) -> Token {
    Token(NonZeroU64::new(number).unwrap())
}

fn not_bound<T>() -> Result<T, DirectoryError> {
    Err(DirectoryError::NotBound(endpoint(5)))
}

/// Endpoint 5, or the one with another number, in the first generation.
fn offer(number: i32, owner: Owner, token: Option<Token>) -> Request {
    Request::Offer {
        endpoint: endpoint(number),
        owner,
        generation: 1,
        token,
    }
}

fn adopt(number: i32, owner: Owner, token: Token) -> Request {
    Request::Adopt {
        endpoint: endpoint(number),
        owner,
        generation: 1,
        token,
        nonce: 7,
    }
}

fn offered(answer: Answer) -> Result<u32, DirectoryError> {
    match answer {
        Answer::Offered(done) => done,
        other => panic!("{other:?}"),
    }
}

fn adopted(answer: Answer) -> Result<Taken, DirectoryError> {
    match answer {
        Answer::Adopted(done) => done,
        other => panic!("{other:?}"),
    }
}

impl Node {
    fn offer(&mut self, owner: Owner, token: Option<Token>) -> Result<u32, DirectoryError> {
        offered(self.ask(offer(5, owner, token)))
    }

    fn adopt(&mut self, owner: Owner, token: Token) -> Result<Taken, DirectoryError> {
        adopted(self.ask(adopt(5, owner, token)))
    }

    /// A VM with endpoint 5.
    fn boot_with_endpoint(&mut self, vm: u32) -> Owner {
        let owner = self.boot(vm);
        assert_eq!(self.bind(owner, 5), Ok(1));
        owner
    }

    /// What the directory knows of the endpoints of a VM of this node, when the node is started.
    fn endpoints(&self, vm: u32) -> Vec<BoundRecord> {
        let records = self.directory.records();
        let record = records.into_iter().find(|it| it.record.attributes.vm == vm);
        record.unwrap().record.endpoints
    }
}

#[test]
fn an_endpoint_changes_hands_as_it_is() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (old, new) = (one.boot_with_endpoint(1), two.boot(2));
    one.ask(Request::Privilege {
        endpoint: endpoint(5),
        owner: old,
        generation: 1,
        privileges: RIGHTS,
    });
    assert_eq!(one.offer(old, Some(token(3))), Ok(1));
    // The node may be started again meanwhile.
    drop(one);
    let mut one = Node::start(&server, 1);
    let before = BoundRecord {
        number: 5,
        generation: 1,
        nonce: 9,
        privileges: Some(RIGHTS),
        offered: true,
    };
    assert_eq!(one.endpoints(1), [before]);
    let taken = Taken {
        generation: 1,
        privileges: Some(RIGHTS),
    };
    assert_eq!(two.adopt(new, token(3)), Ok(taken));
    assert_eq!(two.adopt(new, token(3)), Ok(taken), "the same request");
    let found = one.lookup(5).unwrap();
    assert_eq!((found.owner(), found.generation), (new, 1));
    // What the old VM says of it comes too late.
    assert_eq!(one.offer(old, None), not_bound());
    assert_eq!(one.end(old), Ok(()));
    assert_eq!(two.lookup(5), Some(found));
    drop((one, two));
    let (one, two) = (Node::start(&server, 1), Node::start(&server, 2));
    assert!(one.endpoints(1).is_empty());
    let after = BoundRecord {
        nonce: 7,
        offered: false,
        ..before
    };
    assert_eq!(two.endpoints(2), [after]);
}

#[test]
fn it_comes_back_and_goes_again() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (first, second) = (one.boot_with_endpoint(1), two.boot(2));
    for round in 1..4 {
        assert_eq!(one.offer(first, Some(token(2 * round))), Ok(1));
        assert!(two.adopt(second, token(2 * round)).is_ok());
        assert_eq!(two.offer(second, Some(token(2 * round + 1))), Ok(1));
        assert!(one.adopt(first, token(2 * round + 1)).is_ok());
        assert_eq!(two.lookup(5).map(|it| it.owner()), Some(first));
    }
}

#[test]
fn only_what_is_offered_so_is_taken() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    let (old, new) = (node.boot_with_endpoint(1), node.boot(2));
    assert_eq!(node.adopt(new, token(3)), not_bound(), "not offered");
    assert_eq!(node.offer(old, Some(token(3))), Ok(1));
    assert_eq!(node.adopt(new, token(4)), not_bound(), "another token");
    let later = Request::Adopt {
        endpoint: endpoint(5),
        owner: new,
        generation: 2,
        token: token(3),
        nonce: 7,
    };
    let in_generation_2 = adopted(node.ask(later));
    assert_eq!(in_generation_2, not_bound());
    let nowhere = adopted(node.ask(adopt(6, new, token(3))));
    assert_eq!(nowhere, Err(DirectoryError::NotBound(endpoint(6))));
    assert_eq!(node.offer(old, None), Ok(1));
    assert_eq!(node.adopt(new, token(3)), not_bound(), "withdrawn");
    assert_eq!(node.offer(old, Some(token(4))), Ok(1));
    assert_eq!(node.adopt(new, token(3)), not_bound(), "the earlier token");
    assert_eq!(node.end(new), Ok(()));
    let over = Err(DirectoryError::LifeOver(new));
    assert_eq!(node.adopt(new, token(4)), over);
    assert_eq!(node.lookup(5).map(|it| it.owner()), Some(old));
}

#[test]
fn only_who_has_it_offers_it() {
    let server = Server::start();
    let mut node = Node::start(&server, 1);
    let (old, other) = (node.boot_with_endpoint(1), node.boot(2));
    assert_eq!(node.offer(other, Some(token(3))), not_bound());
    let stale = Request::Offer {
        endpoint: endpoint(5),
        owner: old,
        generation: 2,
        token: Some(token(3)),
    };
    assert_eq!(offered(node.ask(stale)), not_bound());
    let next = node.begin(1);
    assert_eq!(node.offer(old, Some(token(3))), not_bound());
    assert_eq!(node.offer(next, Some(token(3))), not_bound());
    assert_eq!(node.adopt(other, token(3)), not_bound());
}

#[test]
fn an_offer_ends_with_the_life_that_made_it() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (old, new) = (one.boot_with_endpoint(1), two.boot(2));
    assert_eq!(one.offer(old, Some(token(3))), Ok(1));
    assert_eq!(one.end(old), Ok(()));
    assert_eq!(two.adopt(new, token(3)), not_bound());
    // The next life, bound again, has offered nothing.
    let next = one.begin(1);
    assert_eq!(one.bind(next, 5), Ok(2));
    assert_eq!(two.adopt(new, token(3)), not_bound());
    let of_generation_2 = |owner| Request::Adopt {
        endpoint: endpoint(5),
        owner,
        generation: 2,
        token: token(3),
        nonce: 7,
    };
    let taken = adopted(two.ask(of_generation_2(new)));
    assert_eq!(taken, not_bound());
}

#[test]
fn an_offer_ends_with_the_lease_of_its_node() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (old, new) = (one.boot_with_endpoint(1), two.boot(2));
    assert_eq!(one.offer(old, Some(token(3))), Ok(1));
    server.expire(1);
    two.until_lost(1);
    assert_eq!(two.adopt(new, token(3)), not_bound());
    assert_eq!(one.offer(old, None), not_bound());
}

/// A withdrawal and an adoption are asked for at the same time.
#[test]
fn either_it_is_withdrawn_or_it_is_taken() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let (old, new) = (one.boot(1), two.boot(2));
    for number in 0..50 {
        assert_eq!(one.bind(old, number), Ok(1));
        let offer = one.ask(offer(number, old, Some(token(3))));
        assert_eq!(offered(offer), Ok(1));
    }
    let ids: Vec<_> = (0..50)
        .map(|number| {
            (
                one.submit(offer(number, old, None)),
                two.submit(adopt(number, new, token(3))),
            )
        })
        .collect();
    for (number, (withdrawal, adoption)) in (0..).zip(ids) {
        let withdrawn = offered(one.answer(withdrawal));
        let taken = adopted(two.answer(adoption));
        assert_ne!(withdrawn.is_ok(), taken.is_ok(), "endpoint {number}");
        let owner = if taken.is_ok() { new } else { old };
        assert_eq!(one.lookup(number).map(|it| it.owner()), Some(owner));
    }
}

#[test]
fn one_of_two_adopters_gets_it() {
    let server = Server::start();
    let mut nodes = [1, 2, 3].map(|node| Node::start(&server, node));
    let [one, two, three] = &mut nodes;
    let (old, second, third) = (one.boot(1), two.boot(2), three.boot(3));
    for number in 0..50 {
        assert_eq!(one.bind(old, number), Ok(1));
        one.ask(offer(number, old, Some(token(3))));
    }
    let ids: Vec<_> = (0..50)
        .map(|number| {
            (
                two.submit(adopt(number, second, token(3))),
                three.submit(adopt(number, third, token(3))),
            )
        })
        .collect();
    for (number, (left, right)) in (0..).zip(ids) {
        let left = adopted(two.answer(left));
        let right = adopted(three.answer(right));
        assert_ne!(left.is_ok(), right.is_ok(), "endpoint {number}");
        let owner = if left.is_ok() { second } else { third };
        assert_eq!(one.lookup(number).map(|it| it.owner()), Some(owner));
    }
}
