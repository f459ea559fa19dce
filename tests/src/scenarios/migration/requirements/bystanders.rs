//! Who has nothing to do with the move: two other guests of the container that call each other,
//! and a guest of another container on the host that the server goes to, with the same numbers.

use anyhow::Result;

use crate::harness::{Guest, Lab, Task};
use crate::scenarios::lifecycle::expect_clean;
use crate::scenarios::migration::field::{self, Field};
use crate::scenarios::{DCID, SERVER, ping};

/// The guest of another container.
const VM: u32 = 9;
/// Endpoint of the server in the second guest, and number of its client in the third.
const OTHER_SERVER: i32 = 28;
const OTHER_CLIENT: i32 = 9;
/// More calls than anybody waits for.
const ENDLESS: &str = "--count 10000000 --rate 50 --timeout-ms 120000";
/// SIGTERM.
const TERMINATE: i32 = 15;

/// Those clients, and their servers.
#[derive(Debug)]
pub struct Bystanders {
    foreign: Guest,
    clients: Vec<Task>,
    servers: Vec<Task>,
}

impl Bystanders {
    /// Boots the foreign guest and has all of them call.
    pub fn start(lab: &Lab, field: &mut Field) -> Result<Self> {
        let spec = field::guest_in(&mut field.cluster, 2, (VM, DCID + 1), "needs-foreign")?;
        let mut foreign = Guest::boot(lab, &spec)?;
        let mut servers = vec![ping::serve_at(lab, &mut foreign, SERVER, 1)?];
        let mut clients = vec![foreign.spawn(&ping::client_line(0, ENDLESS))?];
        if let [_, serving, calling] = field.clients.as_mut_slice() {
            servers.push(ping::serve_at(lab, serving, OTHER_SERVER, 1)?);
            let line = ping::client_line_to(OTHER_SERVER, OTHER_CLIENT, ENDLESS);
            clients.push(calling.spawn(&line)?);
        }
        let mut bystanders = Self {
            foreign,
            clients,
            servers,
        };
        bystanders.go_on()?;
        Ok(bystanders)
    }

    /// They make calls from now on.
    pub fn go_on(&mut self) -> Result<()> {
        for client in &mut self.clients {
            client.heard();
        }
        self.clients.iter_mut().try_for_each(ping::wait_calls)
    }

    /// Ends them: none of their calls went wrong.
    pub fn end(self) -> Result<()> {
        for mut client in self.clients {
            client.signal(TERMINATE)?;
            let report = ping::finish(client)?;
            expect_clean(&report, report.rpcs)?;
        }
        for server in self.servers {
            server.finish(ping::RUN_LIMIT)?.success()?;
        }
        drop(self.foreign);
        Ok(())
    }
}
