//! Everything by name.

use anyhow::Result;
use dvs_report::{DemoReport, Row};

use super::{bench, calls, demo, faults, hosts, lifecycle, process_moves};
use crate::harness::Lab;

/// A demonstration.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// Its name.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Lab) -> Result<DemoReport>,
}

/// A test on real guests.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// Its name.
    pub name: &'static str,
    /// Fails with the reason.
    pub run: fn(&Lab) -> Result<()>,
}

/// A group of comparisons.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Measures all its rows.
    pub run: fn(&Lab) -> Result<Vec<Row>>,
}

/// All demonstrations, the default first.
#[must_use]
pub fn demos() -> &'static [Demo] {
    &[
        Demo {
            name: "rpc-same-host",
            run: demo::rpc_same_host,
        },
        Demo {
            name: "rpc-same-vm",
            run: demo::rpc_same_vm,
        },
        Demo {
            name: "rpc-two-hosts",
            run: hosts::demo::rpc_two_hosts,
        },
    ]
}

/// All tests on real guests.
#[must_use]
pub fn tests() -> &'static [Test] {
    &[
        Test {
            name: "rpc-same-host",
            run: |lab| demo::check(&demo::rpc_same_host(lab)?, 2.0),
        },
        Test {
            name: "rpc-same-vm",
            run: |lab| demo::check(&demo::rpc_same_vm(lab)?, 0.0),
        },
        Test {
            name: "node-in-the-vmm",
            run: lifecycle::node_in_the_vmm,
        },
        Test {
            name: "selftest",
            run: lifecycle::selftest,
        },
        Test {
            name: "compatible-calls",
            run: lifecycle::compatible_calls,
        },
        Test {
            name: "calls-in-one-vm",
            run: calls::calls_in_one_vm,
        },
        Test {
            name: "calls-between-vms",
            run: calls::calls_between_vms,
        },
        Test {
            name: "process-moves",
            run: process_moves::process_moves,
        },
        Test {
            name: "examples",
            run: calls::examples,
        },
        Test {
            name: "storm",
            run: calls::storm,
        },
        Test {
            name: "many-processes-on-two-vcpus",
            run: lifecycle::many_processes,
        },
        Test {
            name: "module-reload",
            run: lifecycle::module_reload,
        },
        Test {
            name: "unplug",
            run: lifecycle::unplug,
        },
        Test {
            name: "pause-and-resume",
            run: lifecycle::pause_and_resume,
        },
        Test {
            name: "reboot",
            run: lifecycle::reboot,
        },
        Test {
            name: "server-killed",
            run: faults::server_killed,
        },
        Test {
            name: "client-killed",
            run: faults::client_killed,
        },
        Test {
            name: "guest-killed",
            run: faults::guest_killed,
        },
        Test {
            name: "node-restarted-under-load",
            run: faults::node_restarted,
        },
        Test {
            name: "endpoint-of-another-vm",
            run: faults::endpoint_taken,
        },
        Test {
            name: "another-container",
            run: faults::another_container,
        },
        Test {
            name: "rpc-two-hosts",
            run: |lab| demo::check_calls(&hosts::demo::rpc_two_hosts(lab)?, 2.0),
        },
        Test {
            name: "calls-between-hosts",
            run: hosts::calls::calls_between_hosts,
        },
        Test {
            name: "calls-between-hosts-tls",
            run: hosts::calls::calls_between_hosts_tls,
        },
        Test {
            name: "copies-between-hosts",
            run: hosts::calls::copies_between_hosts,
        },
        Test {
            name: "server-killed-two-hosts",
            run: hosts::faults::server_killed,
        },
        Test {
            name: "client-killed-two-hosts",
            run: hosts::faults::client_killed,
        },
        Test {
            name: "guest-killed-two-hosts",
            run: hosts::faults::guest_killed,
        },
        Test {
            name: "node-killed-under-load-two-hosts",
            run: hosts::faults::nodes_restarted,
        },
        Test {
            name: "link-cut-and-healed",
            run: hosts::faults::link_cut,
        },
        Test {
            name: "host-lost",
            run: hosts::faults::host_lost,
        },
        Test {
            name: "etcd-restarted-under-load",
            run: hosts::faults::directory_restarted,
        },
        Test {
            name: "host-cut-off-from-etcd",
            run: hosts::faults::cut_off_from_directory,
        },
    ]
}

/// All groups of comparisons, the default first.
#[must_use]
pub fn groups() -> &'static [Group] {
    &[
        Group {
            name: "ipc",
            run: bench::ipc,
        },
        Group {
            name: "hosts",
            run: bench::hosts,
        },
    ]
}
