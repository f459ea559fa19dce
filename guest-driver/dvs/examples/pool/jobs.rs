//! Which job is where: pure, `J` is whatever names one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Jobs that wait, jobs under way, and workers without one.
#[derive(Debug)]
pub struct Jobs<W, J> {
    waiting: VecDeque<J>,
    limit: usize,
    under_way: HashMap<W, J>,
    idle: HashSet<W>,
}

impl<W: Copy + Eq + Hash, J> Jobs<W, J> {
    /// At most `limit` jobs wait.
    pub fn new(limit: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            limit,
            under_way: HashMap::new(),
            idle: HashSet::new(),
        }
    }

    /// A job comes in; gives it back if too many wait.
    pub fn add(&mut self, job: J) -> Result<(), J> {
        if self.waiting.len() >= self.limit {
            return Err(job);
        }
        self.waiting.push_back(job);
        Ok(())
    }

    /// An idle worker to be woken, if there is something to do. It is not idle then.
    pub fn wake(&mut self) -> Option<W> {
        if self.waiting.is_empty() {
            return None;
        }
        let worker = *self.idle.iter().next()?;
        self.idle.remove(&worker);
        Some(worker)
    }

    /// A worker has finished; gives its job.
    pub fn finished(&mut self, worker: W) -> Option<J> {
        self.under_way.remove(&worker)
    }

    /// A job for a worker, which has none; without one it is idle from now on.
    pub fn next(&mut self, worker: W) -> Option<&J> {
        self.lost(worker);
        match self.waiting.pop_front() {
            Some(job) => Some(self.under_way.entry(worker).or_insert(job)),
            None => {
                self.idle.insert(worker);
                None
            }
        }
    }

    /// A worker is gone: what it was doing is the next to be done.
    pub fn lost(&mut self, worker: W) {
        self.idle.remove(&worker);
        if let Some(job) = self.under_way.remove(&worker) {
            self.waiting.push_front(job);
        }
    }

    /// Those that have a job.
    pub fn workers(&self) -> Vec<W> {
        self.under_way.keys().copied().collect()
    }

    /// Jobs that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
#[path = "jobs_test.rs"]
mod tests;
