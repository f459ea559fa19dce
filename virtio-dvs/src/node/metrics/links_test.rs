use super::*;
use crate::directory::NodeId;
use crate::metrics::{Collector, DescriptorEncoder, Metrics};
use std::time::Duration;

#[derive(Debug)]
struct OneLink;

impl Collector for OneLink {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let session = SessionView {
            node: NodeId(7),
            address: None,
            state: LinkState::Up,
            since: None,
            until: None,
            dialled_by: None,
            tls: true,
            version: None,
            lz4: false,
            message: LinkCounters {
                frames_in: 5,
                no_room: 2,
                ..LinkCounters::default()
            },
            bulk: LinkCounters::default(),
            rtt: Some(Duration::from_millis(250)),
            last_error: None,
        };
        let refused = BTreeMap::from([("no_room", 3)]);
        write(&mut Writer::new(encoder), &[session], &refused)
    }
}

#[test]
fn links_have_figures_by_node_class_and_direction() {
    let mut metrics = Metrics::default();
    metrics.add(Box::new(OneLink));
    let text = metrics.text().unwrap();
    for line in [
        "dvs_link_up{node=\"7\"} 1.0",
        "dvs_link_rtt_seconds{node=\"7\"} 0.25",
        "dvs_link_frames_total{node=\"7\",class=\"message\",direction=\"in\"} 5",
        "dvs_link_bytes_total{node=\"7\",class=\"bulk\",direction=\"out\"} 0",
        "dvs_link_no_room_total{node=\"7\",class=\"message\"} 2",
        "dvs_link_refused_total{reason=\"no_room\"} 3",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
    }
}
