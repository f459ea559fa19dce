//! A sendrec and its reply inside one VM, in user space.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark")]

use criterion::{Criterion, criterion_group, criterion_main};
use dvs_core::{ANY, Addr, Core, Identity, Limits};

fn bound(core: &mut Core, nr: i32) {
    core.bind(nr, 0);
    let request = core.take_control().expect("a bind asks the node");
    let mut frame = [0u8; 80];
    frame[0] = 3; // BOUND
    frame[16..20].copy_from_slice(&1u32.to_le_bytes());
    frame[20..24].copy_from_slice(&1u32.to_le_bytes());
    frame[52..56].copy_from_slice(&nr.to_le_bytes());
    frame[56..60].copy_from_slice(&7u32.to_le_bytes());
    frame[64..72].copy_from_slice(&request.nonce.to_le_bytes());
    core.frame(&frame, 0);
    core.finished().expect("bound");
}

fn sendrec(c: &mut Criterion) {
    let identity = Identity {
        vm: 1,
        incarnation: 1,
        nr_tasks: 34,
        nr_procs: 221,
        nr_sysprocs: 64,
        flags: 0,
    };
    let mut core = Core::new(identity, Limits::default(), 256).expect("default limits");
    bound(&mut core, 10);
    bound(&mut core, 20);
    c.bench_function("core/sendrec_same_vm", |b| {
        b.iter(|| {
            core.receive(20, Addr::number(ANY), 0, 0);
            core.sendrec(
                10,
                Addr::number(20),
                b"forty-eight bytes of a message of the DVS, ...",
                0,
                0,
            );
            core.reply(20, Addr::number(10), 0, b"the answer", 0);
            while core.finished().is_some() {}
        });
    });
}

criterion_group!(benches, sendrec);
criterion_main!(benches);
