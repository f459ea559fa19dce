//! Answers and news on their way to the node, in one order.
//!
//! An answer supposes what was said before it, and the other way round: that a node was lost must
//! not be heard after an answer about its next life. So neither overtakes the other.

use crate::directory::{Answer, Endpoint, Lease, News, NodeId, RequestId};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What news is about; of each there is one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    Vm(u32),
    Bound(Endpoint),
    Node(NodeId),
    NodeLost(NodeId),
    Lease,
    Lapsed,
}

impl Topic {
    fn of(news: &News) -> Topic {
        match news {
            News::Vm { vm, .. } => Topic::Vm(*vm),
            News::Bound { endpoint, .. } => Topic::Bound(*endpoint),
            News::Node { node, .. } => Topic::Node(*node),
            News::NodeLost(node) => Topic::NodeLost(*node),
            News::Lease(Lease::Lapsed) => Topic::Lapsed,
            News::Lease(Lease::Held | Lease::Unanswered | Lease::Doubtful) => Topic::Lease,
        }
    }

    /// What it makes out of date, besides older news of the same.
    fn ends(self) -> Option<Topic> {
        match self {
            Topic::NodeLost(node) => Some(Topic::Node(node)),
            Topic::Lapsed => Some(Topic::Lease),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Item {
    Answer(RequestId, Answer),
    News(News),
}

#[derive(Debug, Default)]
struct Queue {
    items: BTreeMap<u64, Item>,
    places: BTreeMap<Topic, u64>,
    next: u64,
}

impl Queue {
    fn push(&mut self, item: Item) {
        self.items.insert(self.next, item);
        self.next += 1;
    }

    fn push_news(&mut self, news: News) {
        let topic = Topic::of(&news);
        for old in [Some(topic), topic.ends()].into_iter().flatten() {
            if let Some(place) = self.places.remove(&old) {
                self.items.remove(&place);
            }
        }
        self.places.insert(topic, self.next);
        self.push(Item::News(news));
    }
}

/// Answers and news that the node has not taken yet.
#[derive(Debug)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    /// Readable while something is there.
    signal: OwnedFd,
}

impl Inbox {
    pub(super) fn new() -> io::Result<Inbox> {
        let signal = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Inbox {
            queue: Mutex::default(),
            signal,
        })
    }

    pub(super) fn answer(&self, id: RequestId, answer: Answer) {
        self.put(|queue| queue.push(Item::Answer(id, answer)));
    }

    pub(super) fn news(&self, news: News) {
        tracing::debug!("news of the directory: {news:?}");
        self.put(|queue| queue.push_news(news));
    }

    pub(super) fn next_answer(&self) -> Option<(RequestId, Answer)> {
        let mut queue = self.lock();
        let first = queue.items.first_entry()?;
        let Item::Answer(..) = first.get() else {
            return None;
        };
        let Item::Answer(id, answer) = first.remove() else {
            return None;
        };
        self.taken(&queue);
        Some((id, answer))
    }

    pub(super) fn next_news(&self) -> Option<News> {
        let mut queue = self.lock();
        let first = queue.items.first_entry()?;
        let Item::News(_) = first.get() else {
            return None;
        };
        let Item::News(news) = first.remove() else {
            return None;
        };
        queue.places.remove(&Topic::of(&news));
        self.taken(&queue);
        Some(news)
    }

    fn put(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        let was_empty = queue.items.is_empty();
        change(&mut queue);
        if was_empty {
            // It cannot fail: the counter is at 0.
            let _ = rustix::io::write(&self.signal, &1u64.to_ne_bytes());
        }
    }

    fn taken(&self, queue: &Queue) {
        if queue.items.is_empty() {
            // It cannot fail: the counter is at 1.
            let _ = rustix::io::read(&self.signal, &mut [0; 8]);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

#[cfg(test)]
#[path = "inbox_test.rs"]
mod tests;
