//! Frames and notices.

use super::*;

#[test]
fn frames_go_both_ways_and_stay_in_order() {
    let mut world = World::pair();
    for (from, to) in [(0, TWO), (1, ONE)] {
        for arg in 0..100 {
            let payload = vec![arg as u8; arg as usize];
            world.nodes[from]
                .send(to, Class::Message, arg, &payload)
                .unwrap();
        }
        world.nodes[from].links.flush();
    }
    let all = |node: &Node| node.frames().len() == 100;
    world.until(|world| world.nodes.iter().all(all));
    for node in &world.nodes {
        let expected: Vec<_> = (0..100)
            .map(|it| (Class::Message, it, it as usize))
            .collect();
        assert_eq!(node.frames(), expected);
        let view = node.links.sessions().next().unwrap();
        // WELCOME or HELLO and all frames.
        assert!(view.message.writes <= 3, "{view:?}");
        assert_eq!(view.message.frames_in, 100);
    }
}
