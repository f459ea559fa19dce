//! What nodes hear without asking.

use super::super::*;
use super::support::*;
use crate::directory::Lives;
use crate::directory::etcd::keys::Keys;
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::watches::{NODES, Watches};
use etcd_client::Client;
use std::rc::Rc;

fn is_vm(wanted: u32) -> impl Fn(&News) -> bool {
    move |news| matches!(news, News::Vm { vm, .. } if *vm == wanted)
}

fn lives(heard: &[News]) -> Lives {
    match heard.last() {
        Some(News::Vm { lives, .. }) => *lives,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_vm_that_was_located_is_heard_of() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    assert_eq!(one.locate(2), Lives::default());
    two.join(2);
    let owner = two.begin(2);
    let begun = one.until(|news| matches!(news, News::Vm { lives, .. } if lives.current.is_some()));
    assert_eq!(lives(&begun).current.map(|it| it.node), Some(NodeId(2)));
    assert_eq!(lives(&begun).last, owner.incarnation);
    two.end(owner).unwrap();
    assert_eq!(lives(&one.until(is_vm(2))).current, None);
}

#[test]
fn what_is_not_watched_any_more_is_not_heard_of() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    for vm in [2, 3] {
        two.boot(vm);
        assert!(one.locate(vm).current.is_some());
    }
    one.directory.unwatch(Interest::Vm(2));
    // The directory has heard it when it answers what was asked later.
    one.lookup(1);
    two.begin(2);
    two.begin(3);
    let heard = one.until(is_vm(3));
    assert!(!heard.iter().any(is_vm(2)), "{heard:?}");
    // It may be watched again.
    one.locate(2);
    two.begin(2);
    one.until(is_vm(2));
}

#[test]
fn an_endpoint_that_is_awaited_is_heard_of() {
    let server = Server::start();
    let (mut one, mut two) = (Node::start(&server, 1), Node::start(&server, 2));
    let owner = two.boot(2);
    let endpoint = endpoint(5);
    let waits = one.ask(Request::Await { endpoint });
    assert_eq!(waits, Answer::Found(None));
    let generation = two.bind(owner, 5).unwrap();
    let is_bound = |news: &News| matches!(news, News::Bound { .. });
    let heard = one.until(is_bound);
    let Some(News::Bound { found, .. }) = heard.last() else {
        panic!("{heard:?}");
    };
    assert_eq!((found.owner(), found.generation), (owner, generation));
    let is_there = one.ask(Request::Await { endpoint });
    assert_eq!(is_there, Answer::Found(Some(*found)));
    // What a dead life has bound is awaited too.
    two.end(owner).unwrap();
    assert_eq!(one.lookup(5), None);
    let next = two.begin(2);
    two.bind(next, 5).unwrap();
    one.until(|news| matches!(news, News::Bound { found, .. } if found.generation == 2));
}

#[test]
fn nodes_hear_of_each_other() {
    let server = Server::start();
    let mut one = Node::start(&server, 1);
    let two = Node::start(&server, 2);
    let address = "host2:7000".to_owned();
    let node = NodeId(2);
    one.until(|news| {
        *news
            == News::Node {
                node,
                address: address.clone(),
            }
    });
    drop(two);
    server.expire(2);
    one.until_lost(2);
    // One that is there already is heard of too.
    let mut three = Node::start(&server, 3);
    three.until(|news| {
        matches!(
            news,
            News::Node {
                node: NodeId(1),
                ..
            }
        )
    });
    assert!(!three.heard().contains(&News::NodeLost(node)));
}

/// The next news of a task in this thread.
async fn next_news(inbox: &Arc<Inbox>) -> News {
    loop {
        if let Some(news) = inbox.next_news() {
            return news;
        }
        let inbox = inbox.clone();
        let came = tokio::task::spawn_blocking(move || wait(&*inbox)).await;
        assert!(came.unwrap(), "nothing came");
    }
}

#[test]
fn what_was_compacted_is_looked_at_again() {
    let server = Server::start();
    let mut two = Node::start(&server, 2);
    two.boot(2);
    server.administer(async |client| {
        let mut kv = client.kv_client();
        let revision = kv.get("x", None).await?.header().unwrap().revision();
        kv.compact(revision, None).await?;
        let client = Client::connect(&server.config().endpoints, None).await?;
        LocalSet::new()
            .run_until(watch_what_was_compacted(client))
            .await;
        Ok(())
    });
}

async fn watch_what_was_compacted(client: Client) {
    let (orders, obeyed) = mpsc::unbounded_channel();
    let inbox = Arc::new(Inbox::new().unwrap());
    let keys = Keys::new("/dvs/v1/");
    let watches = Watches::new(orders);
    let shared = Rc::new(Shared::new(NodeId(1), client, keys, inbox.clone(), watches));
    let interest = Interest::Vm(2);
    shared.watches.want(interest);
    tokio::task::spawn_local(stream::run(shared.clone(), obeyed));
    let is_alive = |news: &News| matches!(news, News::Vm { lives, .. } if lives.current.is_some());
    while !is_alive(&next_news(&inbox).await) {}
    // As if the look had been long ago: what came since is not there any more.
    assert_eq!(shared.watches.ended(NODES + 1), Some(interest));
    shared.watches.looked(&shared.keys, interest, 1);
    assert!(is_alive(&next_news(&inbox).await));
}
