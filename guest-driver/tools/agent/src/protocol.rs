//! What the host may say.

/// A message of the host.
#[derive(Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Run a command.
    Run {
        /// The host's name for it.
        id: u32,
        /// A line for the shell.
        command: &'a str,
    },
    /// Send a signal to a command's processes.
    Kill {
        /// Which command.
        id: u32,
        /// The signal's number.
        signal: i32,
    },
}

impl<'a> Request<'a> {
    /// Reads a line.
    pub fn parse(line: &'a str) -> Result<Self, String> {
        let mut words = line.splitn(3, ' ');
        let (Some(verb), Some(id), Some(rest)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("three words were expected: {line}"));
        };
        let id = id
            .parse()
            .map_err(|_| format!("{id} is no number of a command"))?;
        match verb {
            "r" => Ok(Self::Run { id, command: rest }),
            "k" => {
                let signal = rest.parse().map_err(|_| format!("{rest} is no signal"))?;
                Ok(Self::Kill { id, signal })
            }
            _ => Err(format!("{verb} is neither r nor k")),
        }
    }
}

#[cfg(test)]
#[path = "protocol_test.rs"]
mod tests;
