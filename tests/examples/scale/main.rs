//! What a large cluster costs: the figures of `docs/scale.md`.
//!
//!     cargo run --release -p dvs-tests --example scale

mod cluster;
mod memory;

use std::time::Instant;

use cluster::Cluster;
use memory::bytes;
use virtio_dvs::directory::local::Local;
use virtio_dvs::directory::{Directory, Endpoint, Owner, Request, RequestId};
use virtio_dvs::vm::VmAttributes;

const NODES: u32 = 1_000;
/// On each node.
const VMS: u32 = 100;
/// Of each VM.
const ENDPOINTS: i32 = 100;
/// VMs that each VM talks to.
const PEERS: u32 = 8;

fn main() {
    of_one_node();
    of_local_directory();
    of_many_nodes();
}

fn per(what: &str, before: usize, number: u32) {
    let each = bytes().saturating_sub(before) / number as usize;
    println!("{what:<56} {each:>9} bytes");
}

fn of_one_node() {
    println!("memory of a switch");
    let mut cluster = Cluster::new(2);
    let before = bytes();
    for vm in 1..=VMS {
        cluster.boot(0, vm);
    }
    per(
        "a VM (with what this program's directory knows)",
        before,
        VMS,
    );
    let before = bytes();
    for vm in 1..=VMS {
        (0..ENDPOINTS).for_each(|number| cluster.bind(0, vm, number));
    }
    let endpoints = VMS * ENDPOINTS.unsigned_abs();
    per("an endpoint (likewise)", before, endpoints);
    let afar = VMS + 1..=VMS + 10_000;
    for vm in afar.clone() {
        cluster.boot(1, vm);
    }
    for vm in 1..=VMS {
        cluster.send(vm, VMS + 1);
    }
    let before = bytes();
    for (index, vm) in (0..3_100).zip(afar.skip(1)) {
        cluster.send(1 + index / 31, vm);
    }
    per("a route with a peer (both nodes together)", before, 3_100);
    println!("  {:?}", cluster.usage(0));
    let mut cluster = Cluster::new(NODES);
    let before = bytes();
    (1..NODES as usize).for_each(|other| cluster.join(0, other));
    per("a session (both nodes together)", before, NODES - 1);
}

fn of_local_directory() {
    let mut directory = Local::in_memory();
    directory.submit(RequestId(0), Request::Join(VmAttributes::new(1, 0)));
    directory.submit(RequestId(1), Request::Begin { vm: 1 });
    let owner = Owner {
        vm: 1,
        incarnation: 1,
    };
    let before = bytes();
    for number in 0..10_000 {
        let endpoint = Endpoint { dcid: 0, number };
        let bind = Request::Bind {
            endpoint,
            owner,
            nonce: 1,
        };
        directory.submit(RequestId(2), bind);
        while directory.next_answer().is_some() {}
    }
    per(
        "an endpoint in the directory of a single host",
        before,
        10_000,
    );
}

/// The VMs that a VM talks to: spread over the cluster.
fn peers(vm: u32) -> impl Iterator<Item = u32> {
    let all = NODES * VMS;
    (1..=PEERS).map(move |peer| 1 + (vm - 1 + peer * 12_347) % all)
}

fn of_many_nodes() {
    let (before, begun) = (bytes(), Instant::now());
    let mut cluster = Cluster::new(NODES);
    for vm in 1..=NODES * VMS {
        cluster.boot(((vm - 1) / VMS) as usize, vm);
    }
    println!("{NODES} nodes of {VMS} VMs: {:?}", cluster.count);
    cluster.count = cluster::Count::default();
    for vm in 1..=NODES * VMS {
        peers(vm).for_each(|to| _ = cluster.send(vm, to));
    }
    println!("each VM finds {PEERS} others: {:?}", cluster.count);
    println!("  {:?}", cluster.usage(500));
    per("a node", before, NODES);
    println!("  in {:.1} s", begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    cluster.count = cluster::Count::default();
    cluster.restart(500);
    println!("a node is started again: {:?}", cluster.count);
    cluster.count = cluster::Count::default();
    for vm in 500 * VMS + 1..=501 * VMS {
        peers(vm).for_each(|to| _ = cluster.send(vm, to));
        peers(vm).for_each(|to| _ = cluster.send(to, vm));
    }
    println!("and its VMs have found theirs again: {:?}", cluster.count);
    println!("  {:?}", cluster.usage(500));
    println!("  in {:.3} s", begun.elapsed().as_secs_f64());
}
