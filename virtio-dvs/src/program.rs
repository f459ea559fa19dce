//! What the programs have in common: the form of their logs, their manual pages and completion.

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;
use std::io::{self, IsTerminal, Write};
use tracing_subscriber::EnvFilter;

/// Section of the manual that the pages belong to: programs of the system.
const SECTION: &str = "8";

/// Flags of every program that runs for long.
#[derive(Debug, Clone, Args)]
pub struct ProgramFlags {
    /// Form of the logs on standard error: text, or JSON with an object on each line
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Print the manual page, or a completion script for a shell, and do nothing else
    #[arg(long, value_name = "WHAT", value_enum)]
    pub print: Option<Document>,
}

/// Form of the logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// An object on each line.
    Json,
}

/// What a program can print of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// The manual page.
    Man,
    /// Completion for bash.
    Bash,
    /// Completion for fish.
    Fish,
    /// Completion for zsh.
    Zsh,
}

impl ProgramFlags {
    /// From now on logs go to standard error, those that `filter` lets through.
    pub fn start_logs(&self, filter: EnvFilter) {
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            // Colours are for people; a file or the journal would keep the codes.
            .with_ansi(io::stderr().is_terminal())
            // A log that nobody reads any more must not end the program.
            .log_internal_errors(false);
        match self.log_format {
            LogFormat::Text => logs.init(),
            LogFormat::Json => logs.json().flatten_event(true).init(),
        }
    }
}

impl Document {
    /// Prints what `command` is to `out`.
    pub fn print(self, command: &mut Command, out: &mut dyn Write) -> io::Result<()> {
        let shell = match self {
            Document::Man => {
                let page = clap_mangen::Man::new(command.clone());
                return page.section(SECTION).render(out);
            }
            Document::Bash => Shell::Bash,
            Document::Fish => Shell::Fish,
            Document::Zsh => Shell::Zsh,
        };
        let name = command.get_name().to_owned();
        clap_complete::generate(shell, command, name, out);
        Ok(())
    }
}
