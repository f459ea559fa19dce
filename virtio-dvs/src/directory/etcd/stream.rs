//! The stream of watches.

use crate::directory::etcd::connection::{Backoff, Fail, Trouble};
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::watches::{NODES, Order};
use etcd_client::{
    Error, WatchOptions, WatchRequestSender, WatchResponse, WatchResponseStream, WatchStream,
};
use std::rc::Rc;
use tokio::sync::mpsc::UnboundedReceiver;

/// Watches for good. Whenever the stream breaks, all that is watched is looked at again.
pub(super) async fn run(shared: Rc<Shared>, mut orders: UnboundedReceiver<Order>) {
    let mut backoff = Backoff::new();
    loop {
        match open(&shared).await {
            Ok(stream) => {
                begin_anew(&shared, &mut orders);
                let trouble = follow(&shared, stream, &mut orders).await;
                tracing::debug!("the watches on etcd broke: {trouble}");
                backoff = Backoff::new();
            }
            Err(Fail::Away(_)) => {}
            Err(Fail::Refused(error)) => tracing::error!("{error}"),
        }
        backoff.pause().await;
    }
}

/// Looks at the nodes and watches them from there.
async fn open(shared: &Shared) -> Result<WatchStream, Fail> {
    let revision = shared.look_at_nodes().await?;
    let options = WatchOptions::new()
        .with_prefix()
        .with_watch_id(NODES)
        .with_fragment()
        .with_start_revision(revision + 1);
    let mut client = shared.client.watch_client();
    let opening = client.watch(shared.keys.nodes(), Some(options));
    shared.ask(opening).await
}

/// Orders to an earlier stream are void; what is watched gets new ones after a look.
fn begin_anew(shared: &Rc<Shared>, orders: &mut UnboundedReceiver<Order>) {
    while orders.try_recv().is_ok() {}
    for interest in shared.watches.all_ended() {
        let shared = shared.clone();
        tokio::task::spawn_local(async move { shared.look_again(interest).await });
    }
}

/// Follows the stream until it breaks.
async fn follow(
    shared: &Rc<Shared>,
    stream: WatchStream,
    orders: &mut UnboundedReceiver<Order>,
) -> Trouble {
    let (sender, receiver) = stream.split();
    // Neither may wait for the other: etcd may want to tell something before it listens.
    let broken = tokio::select! {
        broken = obey(sender, orders) => broken,
        broken = hear(shared, receiver) => broken,
    };
    let Err(error) = broken else {
        return Trouble::Silent;
    };
    Trouble::Etcd(error)
}

async fn obey(
    mut sender: WatchRequestSender,
    orders: &mut UnboundedReceiver<Order>,
) -> Result<(), Error> {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Watch { id, key, from } => {
                let options = WatchOptions::new().with_watch_id(id);
                let options = options.with_start_revision(from).with_fragment();
                sender.watch(key, Some(options)).await?;
            }
            Order::Cancel { id } => sender.cancel(id).await?,
        }
    }
    Ok(())
}

async fn hear(shared: &Rc<Shared>, mut receiver: WatchResponseStream) -> Result<(), Error> {
    while let Some(response) = receiver.message().await? {
        let ended = response.canceled() || response.compact_revision() != 0;
        if !ended {
            take_events(shared, &response);
            continue;
        }
        let (id, reason) = (response.watch_id(), response.cancel_reason());
        if id == NODES || response.created() {
            return Err(Error::WatchError(format!("watch {id} ended: {reason}")));
        }
        if let Some(interest) = shared.watches.ended(id) {
            let shared = shared.clone();
            tokio::task::spawn_local(async move { shared.look_again(interest).await });
        }
    }
    Ok(())
}

fn take_events(shared: &Rc<Shared>, response: &WatchResponse) {
    let id = response.watch_id();
    for key in response.events().iter().filter_map(|event| event.kv()) {
        if id == NODES {
            shared.node_changed(key);
        } else if let Some(interest) = shared.watches.interest(id) {
            shared.changed(interest, key);
        }
    }
}
