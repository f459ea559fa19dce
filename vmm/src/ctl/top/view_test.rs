use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::history::History;
use super::super::tests::{endpoint, link, sample};
use super::*;

/// The lines of a screen of this size.
fn screen(view: &View, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    (0..height).map(|y| line(y).trim_end().to_owned()).collect()
}

fn picture() -> Picture {
    let start = Instant::now();
    let mut history = History::new(Sort::Frames);
    let mut at = |seconds, frames| {
        let mut sample = sample(start + Duration::from_secs(seconds), &[(1, frames), (2, 0)]);
        let mut stuck = endpoint(2, -3, "SENDING", Some(-3), 0);
        stuck.deadlock = true;
        stuck.waits_for = vec![-3];
        sample.endpoints = vec![endpoint(1, 10, "RECEIVING", None, 0), stuck];
        sample.links = vec![link(7, frames)];
        history.add(sample)
    };
    at(0, 0);
    at(2, 50_000)
}

#[test]
fn vms_endpoints_and_links_are_on_the_screen() {
    let view = View {
        picture: Some(picture()),
        ..View::default()
    };
    let lines = screen(&view, 130, 16);
    let cells = |line: &str| -> Vec<String> {
        let cells = line.split("  ").map(str::trim).filter(|it| !it.is_empty());
        cells.map(str::to_owned).collect()
    };
    assert!(
        lines[0].starts_with("node 4  up 1m 1s  VMs 2 running of 2 attached"),
        "{}",
        lines[0]
    );
    assert!(lines[2].starts_with("vms by frames: 2"), "{}", lines[2]);
    assert_eq!(cells(&lines[3]), VM_HEAD);
    assert_eq!(cells(&lines[4])[..5], ["1", "0", "running", "3", "25.0k"]);
    assert_eq!(cells(&lines[5])[..5], ["2", "0", "running", "3", "0"]);
    let at = lines
        .iter()
        .position(|it| it.starts_with("endpoints: 2"))
        .unwrap();
    assert_eq!(
        cells(&lines[at + 2])[4..],
        ["SENDING", "0", "2.0s", "-3 (deadlock)"]
    );
    assert_eq!(
        cells(&lines[at + 3])[..5],
        ["0", "10", "1", "prog", "RECEIVING"]
    );
    let at = lines
        .iter()
        .position(|it| it.starts_with("links: 1"))
        .unwrap();
    assert_eq!(cells(&lines[at + 2])[..4], ["7", "up", "1.5s", "25.0k"]);
    assert_eq!(lines[15], KEYS);
}

#[test]
fn what_has_no_room_is_counted() {
    let mut picture = picture();
    let row = picture.vms[0].clone();
    picture.vms = vec![row; 20];
    let view = View {
        picture: Some(picture),
        ..View::default()
    };
    let lines = screen(&view, 130, 20);
    assert!(
        lines[2].starts_with("vms by frames: 20, of which 15 have no room here"),
        "{}",
        lines[2]
    );
    // However small the screen is.
    for (width, height) in [(1, 1), (10, 3), (200, 5)] {
        screen(&view, width, height);
    }
}

#[test]
fn a_node_that_does_not_answer_is_said_so_beside_what_it_told_last() {
    let mut view = View {
        error: Some("the node does not answer".to_owned()),
        ..View::default()
    };
    assert_eq!(screen(&view, 80, 10)[1], "the node does not answer");
    view.picture = Some(picture());
    let lines = screen(&view, 80, 10);
    assert!(lines[0].starts_with("node 4") && lines[1] == "the node does not answer");
}
