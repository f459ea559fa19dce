//! The picture on a screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table};

use virtio_dvs::link::LinkState;

use super::cells::{self, ENDPOINT_HEAD, LINK_HEAD, VM_HEAD};
use super::history::Picture;
use crate::ctl::args::Sort;

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The last good look.
    pub(super) picture: Option<Picture>,
    /// Why there is none that is newer.
    pub(super) error: Option<String>,
    /// What VMs are sorted by.
    pub(super) sort: Sort,
}

/// Keys, for the last line.
const KEYS: &str = "sort by: v vm  f frames  b bytes  k kicks  i interrupts  d drops   q leaves";

impl View {
    /// Draws it.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let links = self.picture.as_ref().map_or(0, |it| it.links.len());
        let links = if links == 0 { 0 } else { height(links) };
        let [top, middle, bottom, below, keys] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Fill(1),
            Constraint::Fill(1),
            Constraint::Length(links),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.headlines()), top);
        frame.render_widget(Paragraph::new(KEYS), keys);
        let Some(picture) = &self.picture else {
            return;
        };
        let vms = picture.vms.iter().map(|it| (cells::vm(it), false));
        let title = format!("VMs by {:?}", self.sort).to_lowercase();
        table(frame, middle, &title, &VM_HEAD, vms.collect());
        let endpoints = picture.endpoints.iter();
        let endpoints = endpoints.map(|it| (cells::endpoint(it), it.info.deadlock));
        table(
            frame,
            bottom,
            "endpoints",
            &ENDPOINT_HEAD,
            endpoints.collect(),
        );
        if !picture.links.is_empty() {
            let links = picture
                .links
                .iter()
                .map(|it| (cells::link(it), it.info.state != LinkState::Up));
            table(frame, below, "links", &LINK_HEAD, links.collect());
        }
    }

    fn headlines(&self) -> String {
        let headline = self.picture.as_ref().map(cells::headline);
        let error = self.error.as_deref().unwrap_or_default();
        format!("{}\n{error}", headline.unwrap_or_default())
    }
}

/// Lines that a table with so many rows takes; more than a few are cut off.
fn height(rows: usize) -> u16 {
    u16::try_from(rows.min(6)).unwrap_or(0) + 2
}

/// A table; rows that are to strike the eye are red.
fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    head: &[&str],
    rows: Vec<(Vec<String>, bool)>,
) {
    let room = usize::from(area.height.saturating_sub(2));
    let hidden = rows.len().saturating_sub(room);
    let title = match hidden {
        0 => format!("{title}: {}", rows.len()),
        _ => format!(
            "{title}: {}, of which {hidden} have no room here",
            rows.len()
        ),
    };
    let widths: Vec<_> = head
        .iter()
        .enumerate()
        .map(|(at, head)| {
            let cells = rows.iter().filter_map(|row| row.0.get(at));
            let widest = cells.map(String::len).max().unwrap_or(0).max(head.len());
            Constraint::Length(u16::try_from(widest).unwrap_or(u16::MAX))
        })
        .collect();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let rows = rows.into_iter().map(|(cells, strikes)| {
        let style = if strikes {
            Style::new().fg(Color::Red)
        } else {
            Style::new()
        };
        Row::new(cells).style(style)
    });
    let table = Table::new(rows, widths)
        .header(Row::new(head.to_vec()).style(bold))
        .column_spacing(2)
        .block(Block::new().borders(Borders::TOP).title(title));
    frame.render_widget(table, area);
}

#[cfg(test)]
#[path = "view_test.rs"]
mod tests;
