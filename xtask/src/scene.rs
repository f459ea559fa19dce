//! Hosts, clients and a move, drawn anew in place as they change.

use dvs_report::{Moving, Scene};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Widest name of a client that is shown whole.
const NAME: usize = 24;

/// The picture on the terminal.
#[derive(Debug, Default)]
pub struct Stage {
    lines: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl Stage {
    /// Shows a scene in place of the one before.
    pub fn show(&mut self, scene: &Scene) {
        let lines = lines(scene);
        while self.bars.len() < lines.len() {
            let line = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{msg}");
            self.bars.push(
                self.lines
                    .add(line)
                    .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            );
        }
        let empty = std::iter::repeat(String::new());
        for (bar, line) in self.bars.iter().zip(lines.into_iter().chain(empty)) {
            bar.set_message(line);
        }
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        for bar in self.bars.drain(..) {
            bar.finish_and_clear();
        }
    }
}

/// The scene as text.
fn lines(scene: &Scene) -> Vec<String> {
    let hosts = scene.hosts.iter();
    let mut lines: Vec<_> = hosts
        .map(|(host, vms)| format!("           {host:8} {}", vms.join(", ")))
        .collect();
    for (client, rate) in &scene.clients {
        lines.push(format!("           {client:NAME$} {rate:>6.0} calls/s"));
    }
    lines.push(format!(
        "           {}",
        scene.moving.as_ref().map_or_else(String::new, moving)
    ));
    lines
}

/// A move in one line.
pub fn moving(moving: &Moving) -> String {
    let slowed = match moving.throttle_percent {
        0 => String::new(),
        percent => format!(", its CPUs lose {percent} %"),
    };
    format!(
        "host {} → {}: {}, round {}, {} sent, {} left, the guest writes {} pages/s{slowed}",
        moving.from,
        moving.to,
        moving.state,
        moving.round,
        HumanBytes(moving.transferred_bytes),
        HumanBytes(moving.remaining_bytes),
        moving.dirty_pages_per_s,
    )
}

/// A scene in one line, for where nothing can be drawn.
pub fn line(scene: &Scene) -> String {
    let rates: Vec<_> = scene
        .clients
        .iter()
        .map(|(client, rate)| format!("{client} {rate:.0}/s"))
        .collect();
    let moving = scene.moving.as_ref().map(moving);
    let parts: Vec<_> = moving.into_iter().chain([rates.join(", ")]).collect();
    parts.join("; ")
}

#[cfg(test)]
#[path = "scene_test.rs"]
mod tests;
