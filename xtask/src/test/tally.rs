//! What passed and what failed.

use std::fmt;
use std::time::Instant;

use anyhow::Result;

/// Counts results and shows each as it comes.
#[derive(Debug, Default)]
pub struct Tally {
    passed: u64,
    failed: Vec<String>,
}

impl Tally {
    /// Runs one step that counts as a test; gives what it made.
    pub fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        let started = Instant::now();
        let result = work();
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(made) => {
                self.one(name, seconds, None);
                Some(made)
            }
            Err(error) => {
                self.one(name, seconds, Some(&format!("{error:#}")));
                None
            }
        }
    }

    /// Counts one test.
    pub fn one(&mut self, name: &str, seconds: f64, failure: Option<&str>) {
        match failure {
            None => {
                self.passed += 1;
                println!("ok      {name} ({seconds:.1} s)");
            }
            Some(message) => {
                println!("FAILED  {name} ({seconds:.1} s): {message}");
                self.failed.push(name.to_owned());
            }
        }
    }

    /// Counts the tests of one executable.
    pub fn many(&mut self, name: &str, seconds: f64, passed: u64, failed: Vec<String>) {
        self.passed += passed;
        let word = if failed.is_empty() {
            "ok    "
        } else {
            "FAILED"
        };
        println!(
            "{word}  {name}: {passed} passed, {} failed ({seconds:.1} s)",
            failed.len()
        );
        self.failed
            .extend(failed.into_iter().map(|test| format!("{name}: {test}")));
    }

    /// Whether everything passed.
    pub fn clean(&self) -> bool {
        self.failed.is_empty()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.failed {
            writeln!(formatter, "failed: {name}")?;
        }
        write!(
            formatter,
            "{} passed, {} failed",
            self.passed,
            self.failed.len()
        )
    }
}
