use super::*;

fn there(tenure: i64) -> Option<Presence> {
    let address = format!("since {tenure}");
    Some(Presence {
        tenure,
        address,
        instance: 1,
    })
}

fn joined(node: u32, tenure: i64) -> News {
    News::Node {
        node: NodeId(node),
        address: format!("since {tenure}"),
    }
}

#[test]
fn a_node_is_lost_with_its_tenure() {
    let mut nodes = Nodes::new(NodeId(0));
    let one = NodeId(1);
    assert_eq!(nodes.learn(one, there(5), 5), [joined(1, 5)]);
    assert_eq!(nodes.learn(one, there(5), 7), []);
    let moved = nodes.learn(one, there(9), 9);
    assert_eq!(moved, [News::NodeLost(one), joined(1, 9)]);
    assert_eq!(nodes.learn(one, None, 11), [News::NodeLost(one)]);
    assert_eq!(nodes.tenure(one), None);
}

#[test]
fn a_node_that_was_started_again_is_heard_of_but_not_lost() {
    let mut nodes = Nodes::new(NodeId(0));
    let one = NodeId(1);
    nodes.learn(one, there(5), 5);
    let again = there(5).map(|presence| Presence {
        instance: 2,
        ..presence
    });
    assert_eq!(nodes.learn(one, again.clone(), 7), [joined(1, 5)]);
    assert_eq!(nodes.learn(one, again, 8), []);
}

#[test]
fn older_tales_are_not_believed() {
    let mut nodes = Nodes::new(NodeId(0));
    let one = NodeId(1);
    nodes.learn(one, None, 10);
    assert_eq!(nodes.learn(one, there(5), 5), []);
    nodes.learn(one, there(12), 12);
    assert_eq!(nodes.learn(one, None, 11), []);
    assert_eq!(nodes.tenure(one), Some(12));
}

#[test]
fn who_is_not_among_all_is_lost() {
    let mut nodes = Nodes::new(NodeId(0));
    for node in [0, 1, 2] {
        nodes.learn(NodeId(node), there(5), 5);
    }
    let present = [2, 3].map(|node| (NodeId(node), there(5).unwrap()));
    let news = nodes.learn_all(BTreeMap::from(present), 8);
    assert_eq!(news, [News::NodeLost(NodeId(1)), joined(3, 5)]);
}
