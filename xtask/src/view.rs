//! Shows events to a person, as they happen, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use dvs_report::{Event, Log, Scene};
use indicatif::{ProgressBar, ProgressStyle};

use crate::scene::{self, Stage};

/// Between scenes that are told in lines.
const TOLD: Duration = Duration::from_secs(2);

/// The view of one run.
#[derive(Debug)]
pub struct View {
    started: Instant,
    terminal: bool,
    bar: Option<ProgressBar>,
    stage: Stage,
    /// When a scene was shown last where nothing can be drawn.
    told: Option<Instant>,
    failure: Option<String>,
}

impl View {
    /// Starts the clock.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
            bar: None,
            stage: Stage::default(),
            told: None,
            failure: None,
        }
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Progress {
                what,
                done,
                total,
                per_second,
            } => return self.progress(what, *done, *total, *per_second),
            Event::Scene(scene) => return self.scene(scene),
            Event::Step { text } => self.line(text),
            Event::TestStarted { name } => self.line(&format!("{name} …")),
            Event::Logs { logs } => self.logs(logs),
            Event::Failed { message } => self.failure = Some(message.clone()),
            Event::Row(row) => self.line(&format!(
                "{}: {:.0} {}, {}: {:.0} {}, ratio {:.2}",
                row.name, row.ours, row.unit, row.peer_name, row.peer, row.unit, row.ratio
            )),
            Event::Test { .. } | Event::Demo(_) | Event::Exit { .. } => {}
        }
        self.end_bar();
    }

    /// Why the run failed, if it said so.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A line with the time since the start.
    pub fn line(&mut self, text: &str) {
        self.end_bar();
        eprintln!("{:>7.1} s  {text}", self.started.elapsed().as_secs_f64());
    }

    fn progress(&mut self, what: &str, done: u64, total: u64, per_second: f64) {
        let text = format!("{what}, {per_second:.0}/s");
        if !self.terminal {
            return self.line(&format!("{done} of {total} {text}"));
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("           {bar:30} {pos}/{len} {msg}");
            ProgressBar::new(total)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_message(text);
        bar.set_position(done.min(total));
    }

    fn scene(&mut self, scene: &Scene) {
        if self.terminal {
            return self.stage.show(scene);
        }
        let due = self.told.is_none_or(|told| told.elapsed() >= TOLD);
        if due {
            self.line(&scene::line(scene));
            self.told = Some(Instant::now());
        }
    }

    fn end_bar(&mut self) {
        self.stage.clear();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn logs(&mut self, logs: &[Log]) {
        self.end_bar();
        for log in logs {
            eprintln!("---- {} ----\n{}", log.name, log.text);
        }
        if !logs.is_empty() {
            eprintln!("----");
        }
    }
}
