//! What an actor can be told to do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use dvs::Timeout;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Gate,
    Receive(Timeout),
    Send(i32, String, Timeout),
    Sendrec(i32, String, Timeout),
    Answer(String),
    Notify(i32),
    AwaitBound(i32),
    AwaitUnbound(i32),
    Privileges,
    Node,
}

/// A step that is none.
#[derive(Debug, thiserror::Error)]
#[error("this is no step")]
pub struct NoStep;

fn time(text: Option<&str>) -> Result<Timeout, NoStep> {
    match text {
        None => Ok(Timeout::Forever),
        Some("now") => Ok(Timeout::NoWait),
        Some(text) => {
            let milliseconds = text.parse().map_err(|_| NoStep)?;
            Ok(Timeout::After(Duration::from_millis(milliseconds)))
        }
    }
}

fn number(text: &str) -> Result<i32, NoStep> {
    text.parse().map_err(|_| NoStep)
}

impl FromStr for Step {
    type Err = NoStep;

    fn from_str(text: &str) -> Result<Self, NoStep> {
        let words: Vec<&str> = text.split(':').collect();
        Ok(match words.as_slice() {
            ["gate"] => Self::Gate,
            ["receive", rest @ ..] if rest.len() < 2 => Self::Receive(time(rest.first().copied())?),
            ["send", to, text, rest @ ..] if rest.len() < 2 => {
                Self::Send(number(to)?, (*text).into(), time(rest.first().copied())?)
            }
            ["sendrec", to, text, rest @ ..] if rest.len() < 2 => {
                Self::Sendrec(number(to)?, (*text).into(), time(rest.first().copied())?)
            }
            ["answer", text] => Self::Answer((*text).into()),
            ["notify", to] => Self::Notify(number(to)?),
            ["await-bound", of] => Self::AwaitBound(number(of)?),
            ["await-unbound", of] => Self::AwaitUnbound(number(of)?),
            ["privileges"] => Self::Privileges,
            ["node"] => Self::Node,
            _ => return Err(NoStep),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate => f.write_str("gate"),
            Self::Receive(_) => f.write_str("receive"),
            Self::Send(to, text, _) => write!(f, "send {text} to {to}"),
            Self::Sendrec(to, text, _) => write!(f, "sendrec {text} to {to}"),
            Self::Answer(text) => write!(f, "answer {text}"),
            Self::Notify(to) => write!(f, "notify {to}"),
            Self::AwaitBound(of) => write!(f, "await-bound {of}"),
            Self::AwaitUnbound(of) => write!(f, "await-unbound {of}"),
            Self::Privileges => f.write_str("privileges"),
            Self::Node => f.write_str("node"),
        }
    }
}

#[cfg(test)]
#[path = "step_test.rs"]
mod tests;
