//! Everything by name.

use anyhow::Result;
use dvs_report::{Figures, Row};

use super::{bench, calls, demo, faults, hosts, lifecycle, migration, process_moves};
use crate::harness::Lab;

/// A demonstration.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// Its name.
    pub name: &'static str,
    /// Runs it.
    pub run: fn(&Lab) -> Result<Figures>,
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
            name: "migrate-under-load",
            run: |lab| migration::demo::migrate_under_load(lab).map(Figures::Moves),
        },
        Demo {
            name: "rpc-same-host",
            run: |lab| demo::rpc_same_host(lab).map(Figures::Calls),
        },
        Demo {
            name: "rpc-same-vm",
            run: |lab| demo::rpc_same_vm(lab).map(Figures::Calls),
        },
        Demo {
            name: "rpc-two-hosts",
            run: |lab| hosts::demo::rpc_two_hosts(lab).map(Figures::Calls),
        },
        Demo {
            name: "migration-soak",
            run: |lab| migration::soak::soak(lab).map(Figures::Moves),
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
            name: "in-one-vm",
            run: lifecycle::in_one_vm,
        },
        Test {
            name: "compatible-calls",
            run: lifecycle::compatible_calls,
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
            name: "storm",
            run: calls::storm,
        },
        Test {
            name: "many-processes-on-two-vcpus",
            run: lifecycle::many_processes,
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
            name: "faults-on-one-host",
            run: faults::on_one_host,
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
            name: "faults-between-hosts",
            run: hosts::faults::between_hosts,
        },
        Test {
            name: "host-lost",
            run: hosts::faults::host_lost,
        },
        Test {
            name: "host-cut-off-from-etcd",
            run: hosts::faults::cut_off_from_directory,
        },
        Test {
            name: "migrate-under-load",
            run: |lab| migration::check(&migration::demo::migrate_under_load(lab)?),
        },
        Test {
            name: "migration-faults-before-hand-over",
            run: migration::faults::before_the_hand_over,
        },
        Test {
            name: "migration-requirements",
            run: migration::requirements::hold,
        },
    ]
}

/// Tests that take long: only those who ask for them get them.
#[must_use]
pub fn long_tests() -> &'static [Test] {
    &[
        Test {
            name: "migration-faults-at-commit",
            run: migration::faults::at_the_commit,
        },
        Test {
            name: "migration-refused",
            run: migration::refusals::refused,
        },
        Test {
            name: "migration-of-fast-writer",
            run: migration::fast_writer::cancelled_and_forced,
        },
        Test {
            name: "long-storm",
            run: calls::long_storm,
        },
        Test {
            name: "migration-soak",
            run: |lab| migration::check(&migration::soak::soak(lab)?),
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
        Group {
            name: "migration",
            run: bench::migration,
        },
    ]
}
