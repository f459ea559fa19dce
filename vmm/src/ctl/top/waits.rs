//! How long endpoints wait, as far as it can be seen from looks at their states.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use virtio_dvs::node::control::EndpointInfo;

/// An endpoint, by VM, number and generation.
type Key = (u32, i32, u32);

/// What makes two looks at a waiting endpoint the same: its state, from whom and to whom, and how
/// much it has sent.
#[derive(Clone, Debug, PartialEq)]
struct Wait {
    state: String,
    peers: [Option<i32>; 2],
    sent: [u32; 2],
}

/// What was seen of endpoints that wait.
#[derive(Debug, Default)]
pub(super) struct Waits(BTreeMap<Key, (Wait, Instant)>);

impl Waits {
    /// Another look. Gives for each endpoint how long every look has found it waiting the same way;
    /// `None` for those that do not wait or whose guests do not tell.
    pub(super) fn look(
        &mut self,
        endpoints: &[EndpointInfo],
        at: Instant,
    ) -> Vec<Option<Duration>> {
        let before = std::mem::take(&mut self.0);
        let mut waited = Vec::new();
        for info in endpoints {
            let Some(wait) = wait(info) else {
                waited.push(None);
                continue;
            };
            let key = (info.vm, info.endpoint, info.generation);
            let since = match before.get(&key) {
                Some((same, since)) if *same == wait => *since,
                _ => at,
            };
            self.0.insert(key, (wait, since));
            waited.push(Some(at.saturating_duration_since(since)));
        }
        waited
    }
}

fn wait(info: &EndpointInfo) -> Option<Wait> {
    let told = info.state.as_ref().filter(|it| it.state != "RUNNING")?;
    Some(Wait {
        state: told.state.clone(),
        peers: [told.receives_from, told.sends_to],
        sent: [told.sent_local, told.sent_remote],
    })
}

#[cfg(test)]
#[path = "waits_test.rs"]
mod tests;
