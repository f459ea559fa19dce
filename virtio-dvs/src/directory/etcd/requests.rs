//! Requests of the node: those that change a VM one after the other, all else at once.

use crate::directory::etcd::endpoints::Held;
use crate::directory::etcd::hands::Taking;
use crate::directory::etcd::shared::Shared;
use crate::directory::etcd::snapshot::Snapshot;
use crate::directory::{Answer, Interest, Request, RequestId};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

/// What the node wants.
#[derive(Debug)]
pub(super) enum Command {
    /// An answer.
    Ask(RequestId, Request),
    /// No more news of this.
    Unwatch(Interest),
}

/// Requests that wait for an earlier one of the same VM.
#[derive(Debug, Default)]
struct Lanes {
    waiting: BTreeMap<u32, VecDeque<(RequestId, Request)>>,
    running: JoinSet<u32>,
}

/// Carries out what comes until nobody is left to ask.
pub(super) async fn serve(shared: Rc<Shared>, mut commands: UnboundedReceiver<Command>) {
    let mut lanes = Lanes::default();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Ask(id, request)) => ask(&shared, &mut lanes, id, request),
                Some(Command::Unwatch(interest)) => shared.watches.unwatch(interest),
                None => return,
            },
            Some(Ok(vm)) = lanes.running.join_next() => lanes.go_on(&shared, vm),
        }
    }
}

fn ask(shared: &Rc<Shared>, lanes: &mut Lanes, id: RequestId, request: Request) {
    match request {
        Request::Lookup { endpoint } => {
            let shared = shared.clone();
            tokio::task::spawn_local(async move {
                let (found, _) = shared.look(async || shared.find(endpoint).await).await;
                shared.inbox.answer(id, Answer::Found(found));
            });
        }
        Request::Await { endpoint } => {
            let interest = Interest::Endpoint(endpoint);
            shared.watches.want(interest);
            let shared = shared.clone();
            tokio::task::spawn_local(async move {
                let (found, revision) = shared.look(async || shared.find(endpoint).await).await;
                shared.watches.looked(&shared.keys, interest, revision);
                shared.inbox.answer(id, Answer::Found(found));
            });
        }
        Request::Look { vm } => {
            let shared = shared.clone();
            tokio::task::spawn_local(async move {
                let seen = shared.look(async || shared.see(vm).await).await;
                shared.inbox.answer(id, Answer::Seen(seen));
            });
        }
        Request::Locate { vm } => {
            let interest = Interest::Vm(vm);
            shared.watches.want(interest);
            let shared = shared.clone();
            tokio::task::spawn_local(async move {
                let (lives, revision) = shared.look(async || shared.locate(vm).await).await;
                shared.watches.looked(&shared.keys, interest, revision);
                shared.inbox.answer(id, Answer::Located(lives));
            });
        }
        Request::Join(ref attributes) => lanes.add(shared, attributes.vm, (id, request)),
        Request::Leave { vm }
        | Request::Begin { vm }
        | Request::Take { vm, .. }
        | Request::Started { vm, .. } => {
            lanes.add(shared, vm, (id, request));
        }
        Request::Driving(owner)
        | Request::End(owner)
        | Request::Bind { owner, .. }
        | Request::Unbind { owner, .. }
        | Request::Privilege { owner, .. }
        | Request::Offer { owner, .. }
        | Request::Adopt { owner, .. } => lanes.add(shared, owner.vm, (id, request)),
    }
}

impl Lanes {
    fn add(&mut self, shared: &Rc<Shared>, vm: u32, request: (RequestId, Request)) {
        if let Some(waiting) = self.waiting.get_mut(&vm) {
            waiting.push_back(request);
            return;
        }
        self.waiting.insert(vm, VecDeque::new());
        self.start(shared, vm, request);
    }

    fn go_on(&mut self, shared: &Rc<Shared>, vm: u32) {
        match self.waiting.get_mut(&vm).and_then(VecDeque::pop_front) {
            Some(request) => self.start(shared, vm, request),
            None => {
                self.waiting.remove(&vm);
            }
        }
    }

    fn start(&mut self, shared: &Rc<Shared>, vm: u32, (id, request): (RequestId, Request)) {
        let shared = shared.clone();
        self.running.spawn_local(async move {
            if let Some(answer) = shared.carry_out(id, &request).await {
                shared.inbox.answer(id, answer);
            }
            vm
        });
    }
}

impl Shared {
    /// Makes the change that a request asks for; `None` if it asks for none.
    async fn carry_out(self: &Rc<Self>, id: RequestId, request: &Request) -> Option<Answer> {
        let writer = self.writer(id);
        Some(match *request {
            Request::Join(ref attributes) => Answer::Joined(
                self.change(async |it: &mut Snapshot<'_>| self.join(it, attributes, writer).await)
                    .await,
            ),
            Request::Leave { vm } => Answer::Done(
                self.change(async |it: &mut Snapshot<'_>| self.leave(it, vm, writer).await)
                    .await,
            ),
            Request::Begin { vm } => Answer::Begun(
                self.change(async |it: &mut Snapshot<'_>| self.begin(it, vm, writer).await)
                    .await,
            ),
            Request::Driving(owner) => Answer::Done(
                self.change(async |it: &mut Snapshot<'_>| self.driving(it, owner).await)
                    .await,
            ),
            Request::End(owner) => Answer::Done(
                self.change(async |it: &mut Snapshot<'_>| self.end(it, owner, writer).await)
                    .await,
            ),
            Request::Bind {
                endpoint,
                owner,
                nonce,
            } => Answer::Bound(
                self.change(async |it: &mut Snapshot<'_>| {
                    self.bind(it, endpoint, owner, nonce).await
                })
                .await,
            ),
            Request::Unbind {
                endpoint,
                owner,
                generation,
            } => {
                let tried = Cell::new(false);
                let held = Held {
                    endpoint,
                    owner,
                    generation,
                };
                Answer::Unbound(
                    self.change(async |it: &mut Snapshot<'_>| self.unbind(it, held, &tried).await)
                        .await,
                )
            }
            Request::Privilege {
                endpoint,
                owner,
                generation,
                privileges,
            } => {
                let held = Held {
                    endpoint,
                    owner,
                    generation,
                };
                Answer::Privileged(
                    self.change(async |it: &mut Snapshot<'_>| {
                        self.privilege(it, held, privileges).await
                    })
                    .await,
                )
            }
            Request::Offer {
                endpoint,
                owner,
                generation,
                token,
            } => {
                let held = Held {
                    endpoint,
                    owner,
                    generation,
                };
                Answer::Offered(
                    self.change(async |it: &mut Snapshot<'_>| self.offer(it, held, token).await)
                        .await,
                )
            }
            Request::Adopt {
                endpoint,
                owner,
                generation,
                token,
                nonce,
            } => {
                let taking = Taking {
                    endpoint,
                    owner,
                    generation,
                    token,
                    nonce,
                };
                Answer::Adopted(
                    self.change(async |it: &mut Snapshot<'_>| self.adopt(it, taking).await)
                        .await,
                )
            }
            Request::Take { vm, from } => Answer::Seen(self.take(vm, from).await),
            Request::Started { vm, epoch, start } => Answer::Done(
                self.change(async |it: &mut Snapshot<'_>| self.started(it, vm, epoch, start).await)
                    .await,
            ),
            Request::Look { .. }
            | Request::Lookup { .. }
            | Request::Await { .. }
            | Request::Locate { .. } => return None,
        })
    }
}
