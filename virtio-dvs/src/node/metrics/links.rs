//! Figures of the links to other nodes.

use crate::frame::Class;
use crate::link::{LinkCounters, LinkState, SessionView};
use crate::metrics::{Labels, Writer};
use std::collections::BTreeMap;
use std::fmt;

/// Writes the figures of all sessions, and of what came over them and was refused.
pub(super) fn write(
    writer: &mut Writer<'_>,
    sessions: &[SessionView],
    refused: &BTreeMap<&'static str, u64>,
) -> fmt::Result {
    let up = |it: &SessionView| f64::from(u8::from(it.state == LinkState::Up));
    writer.gauges(
        "dvs_link_up",
        "Whether frames are carried to and from the other node.",
        sessions.iter().map(|it| (of_node(it), up(it))),
    )?;
    let rtt = |it: &SessionView| Some((of_node(it), it.rtt?.as_secs_f64()));
    writer.gauges(
        "dvs_link_rtt_seconds",
        "How long the last keep-alive took to come back.",
        sessions.iter().filter_map(rtt),
    )?;
    write_traffic(writer, sessions)?;
    writer.counters(
        "dvs_link_refused",
        "Frames and notices that came over links and were not taken, by reason.",
        refused
            .iter()
            .map(|(reason, count)| (vec![("reason", (*reason).to_owned())], *count)),
    )
}

fn write_traffic(writer: &mut Writer<'_>, sessions: &[SessionView]) -> fmt::Result {
    writer.counters(
        "dvs_link_frames",
        "Frames that came from the other node (in) and went there (out).",
        both_ways(sessions, |it| [it.frames_in, it.frames_out]),
    )?;
    writer.counters(
        "dvs_link_bytes",
        "Bytes, as they are without TLS.",
        both_ways(sessions, |it| [it.bytes_in, it.bytes_out]),
    )?;
    writer.counters(
        "dvs_link_no_room",
        "Frames for which the link's output had no room.",
        by_class(sessions, |it| it.no_room),
    )?;
    writer.counters(
        "dvs_link_writes",
        "System calls that wrote.",
        by_class(sessions, |it| it.writes),
    )?;
    writer.counters(
        "dvs_link_lz4_saved_bytes",
        "Bytes that LZ4 has saved in sending.",
        by_class(sessions, |it| it.lz4_saved),
    )
}

fn of_node(session: &SessionView) -> Labels {
    vec![("node", session.node.0.to_string())]
}

/// One figure for each connection.
fn by_class(
    sessions: &[SessionView],
    figure: fn(&LinkCounters) -> u64,
) -> impl Iterator<Item = (Labels, u64)> {
    sessions.iter().flat_map(move |session| {
        Class::ALL.map(|class| (of_class(session, class), figure(session.counters(class))))
    })
}

/// One figure for each direction of each connection.
fn both_ways(
    sessions: &[SessionView],
    figures: fn(&LinkCounters) -> [u64; 2],
) -> impl Iterator<Item = (Labels, u64)> {
    sessions.iter().flat_map(move |session| {
        Class::ALL.into_iter().flat_map(move |class| {
            let [came, went] = figures(session.counters(class));
            [("in", came), ("out", went)].map(|(direction, count)| {
                let mut labels = of_class(session, class);
                labels.push(("direction", direction.to_owned()));
                (labels, count)
            })
        })
    })
}

fn of_class(session: &SessionView, class: Class) -> Labels {
    let name = match class {
        Class::Message => "message",
        Class::Bulk => "bulk",
    };
    let mut labels = of_node(session);
    labels.push(("class", name.to_owned()));
    labels
}

#[cfg(test)]
#[path = "links_test.rs"]
mod tests;
