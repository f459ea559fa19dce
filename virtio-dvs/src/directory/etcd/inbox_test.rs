use super::*;
use crate::directory::Lives;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn is_readable(inbox: &Inbox) -> bool {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut ready = [PollFd::new(inbox, PollFlags::IN)];
    poll(&mut ready, Some(&now)).unwrap() == 1
}

fn node(id: u32) -> News {
    News::Node {
        node: NodeId(id),
        address: String::new(),
    }
}

fn vm(vm: u32, last: u32) -> News {
    let current = None;
    let lives = Lives { last, current };
    News::Vm { vm, lives }
}

fn all_news(inbox: &Inbox) -> Vec<News> {
    std::iter::from_fn(|| inbox.next_news()).collect()
}

#[test]
fn answers_and_news_have_one_order() {
    let inbox = Inbox::new().unwrap();
    assert!(!is_readable(&inbox));
    let answer = |id| (RequestId(id), Answer::Found(None));
    inbox.answer(RequestId(1), Answer::Found(None));
    inbox.news(node(1));
    inbox.answer(RequestId(2), Answer::Found(None));
    assert_eq!(inbox.next_news(), None);
    assert_eq!(inbox.next_answer(), Some(answer(1)));
    assert_eq!(inbox.next_answer(), None);
    assert_eq!(inbox.next_news(), Some(node(1)));
    assert!(is_readable(&inbox));
    assert_eq!(inbox.next_answer(), Some(answer(2)));
    assert!(!is_readable(&inbox));
    assert_eq!((inbox.next_answer(), inbox.next_news()), (None, None));
}

#[test]
fn newer_news_take_the_place_of_older_ones() {
    let inbox = Inbox::new().unwrap();
    for news in [vm(1, 1), vm(2, 1), node(1), vm(1, 2)] {
        inbox.news(news);
    }
    assert_eq!(all_news(&inbox), [vm(2, 1), node(1), vm(1, 2)]);
}

#[test]
fn what_ends_lives_is_not_forgotten() {
    let inbox = Inbox::new().unwrap();
    let lost = News::NodeLost(NodeId(1));
    for news in [node(1), lost.clone(), node(1), vm(1, 1)] {
        inbox.news(news);
    }
    assert_eq!(all_news(&inbox), [lost, node(1), vm(1, 1)]);
    for lease in [Lease::Doubtful, Lease::Lapsed, Lease::Held, Lease::Doubtful] {
        inbox.news(News::Lease(lease));
    }
    let left = [News::Lease(Lease::Lapsed), News::Lease(Lease::Doubtful)];
    assert_eq!(all_news(&inbox), left);
}
