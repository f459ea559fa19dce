//! Sentences from the other side, fit to be shown.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Most bytes of a text.
pub const TEXT_MAX: usize = 1024;

/// A text that may have come from a hostile peer: cut to [`TEXT_MAX`] bytes and without control
/// characters, so that it can go to a log or a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Text {
    fn from(mut text: String) -> Text {
        let mut ends = (0..=TEXT_MAX.min(text.len())).rev();
        let end = ends.find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
        if text.contains(char::is_control) {
            // A control character becomes one of a single byte, so nothing gets longer.
            text = text.replace(char::is_control, " ");
        }
        Text(text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text::from(text.to_owned())
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
#[path = "text_test.rs"]
mod tests;
