//! The screen: keys, looks and signals come to one place, and whatever ends it the terminal is as before.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use virtio_dvs::node::client::{Client, ClientError};

use super::history::History;
use super::sample::Sample;
use super::view::View;
use crate::ctl::args::{Sort, Top};
use crate::ctl::run::CtlError;

/// Things that have come and were not looked at, at most; whoever brings more waits.
const WAITING_MAX: usize = 16;

/// What comes.
#[derive(Debug)]
enum Input {
    /// From the terminal.
    Terminal(io::Result<Event>),
    /// From the node.
    Look(Box<Result<Sample, ClientError>>),
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wish {
    Leave,
    Sort(Sort),
}

/// The terminal while it is ours.
struct Screen(DefaultTerminal);

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the node until the user leaves or a signal ends it.
pub(super) fn run(client: Client, top: &Top) -> Result<(), CtlError> {
    // What is wrong at once is said in the terminal as it is.
    let first = Sample::take(&client)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sender, inputs) = mpsc::channel(WAITING_MAX);
    let (going, stop) = channel();
    let interval = top.interval;
    let looks = sender.clone();
    let looking = thread::spawn(move || look_again(&client, interval, &stop, &looks));
    let shown = runtime.block_on(show(first, top.sort, sender, inputs));
    drop(going);
    // A look under way is waited for no longer: it may take as long as a node that hangs.
    drop(looking);
    Ok(shown?)
}

/// Looks at the node in intervals, until nobody wants it any more.
fn look_again(
    client: &Client,
    interval: Duration,
    stop: &Receiver<()>,
    looks: &mpsc::Sender<Input>,
) {
    while stop.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        let look = Input::Look(Box::new(Sample::take(client)));
        if looks.blocking_send(look).is_err() {
            return;
        }
    }
}

/// Reads the terminal, until nobody wants it any more or it cannot be read.
fn read_terminal(inputs: &mpsc::Sender<Input>) {
    loop {
        let event = event::read();
        let last = event.is_err();
        if inputs.blocking_send(Input::Terminal(event)).is_err() || last {
            return;
        }
    }
}

async fn show(
    first: Sample,
    sort: Sort,
    sender: mpsc::Sender<Input>,
    mut inputs: mpsc::Receiver<Input>,
) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut history = History::new(sort);
    let mut view = View {
        picture: Some(history.add(first)),
        error: None,
        sort,
    };
    let mut screen = open()?;
    thread::spawn(move || read_terminal(&sender));
    loop {
        screen.0.draw(|frame| view.draw(frame))?;
        let input = tokio::select! {
            input = inputs.recv() => input,
            _ = terminate.recv() => None,
            _ = hang_up.recv() => None,
            _ = interrupt.recv() => None,
        };
        match input {
            None => return Ok(()),
            Some(Input::Look(look)) => take_in(&mut view, &mut history, *look),
            Some(Input::Terminal(event)) => match wish(&event?) {
                Some(Wish::Leave) => return Ok(()),
                Some(Wish::Sort(sort)) => {
                    view.sort = sort;
                    history.sort_by(sort);
                    view.picture.iter_mut().for_each(|it| it.sort(sort));
                }
                None => {}
            },
        }
    }
}

/// Takes the terminal. If that fails half-way it is given back.
fn open() -> io::Result<Screen> {
    ratatui::try_init()
        .map(Screen)
        .inspect_err(|_| ratatui::restore())
}

fn take_in(view: &mut View, history: &mut History, look: Result<Sample, ClientError>) {
    match look {
        Ok(sample) => {
            view.picture = Some(history.add(sample));
            view.error = None;
        }
        Err(error) => view.error = Some(error.to_string()),
    }
}

fn wish(event: &Event) -> Option<Wish> {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press,
        ..
    }) = event
    else {
        return None;
    };
    let control = modifiers.contains(KeyModifiers::CONTROL);
    Some(match code {
        KeyCode::Char('c') if control => Wish::Leave,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Leave,
        KeyCode::Char('v') => Wish::Sort(Sort::Vm),
        KeyCode::Char('f') => Wish::Sort(Sort::Frames),
        KeyCode::Char('b') => Wish::Sort(Sort::Bytes),
        KeyCode::Char('k') => Wish::Sort(Sort::Kicks),
        KeyCode::Char('i') => Wish::Sort(Sort::Interrupts),
        KeyCode::Char('d') => Wish::Sort(Sort::Drops),
        _ => return None,
    })
}

#[cfg(test)]
#[path = "screen_test.rs"]
mod tests;
