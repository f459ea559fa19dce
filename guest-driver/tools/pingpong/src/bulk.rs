//! Data: by TCP, by process_vm_readv, by copies of what was lent.

use std::io::{self, IoSliceMut, Write};
use std::thread;
use std::time::Instant;

use dvs::{Any, Dvs, Endpoint, GrantKey, Timeout};
use nix::sys::signal::{Signal, kill};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pause};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::Outcome;
use crate::line::Address;
use crate::measure::Job;

/// Takes blocks and tells when each has come.
pub fn sink(address: &Address, size: usize) -> Outcome {
    let mut block = vec![0; size];
    let listener = address.listen()?;
    println!("listening");
    let mut line = listener.accept()?;
    let mut count = [0; 4];
    line.receive(&mut count)?;
    for _ in 0..u32::from_le_bytes(count) {
        if !line.receive(&mut block)? {
            return Err("the other side has gone".into());
        }
    }
    line.send(&[1])?;
    Ok(())
}

/// Sends blocks.
pub fn stream(address: &Address, job: &Job) -> Outcome {
    let block = vec![0; job.size];
    let mut line = address.connect()?;
    line.send(&job.count.to_le_bytes())?;
    let start = Instant::now();
    for _ in 0..job.count {
        line.send(&block)?;
    }
    if !line.receive(&mut [0])? {
        return Err("the sink has gone".into());
    }
    job.print(&mut [], start.elapsed())
}

/// Reads the same memory of a child again and again.
pub fn readv(job: &Job) -> Outcome {
    let (source, mut target) = (vec![1_u8; job.size], vec![0_u8; job.size]);
    let remote = [RemoteIoVec {
        base: source.as_ptr().addr(),
        len: source.len(),
    }];
    // SAFETY: the program has one thread, and the child only waits to be killed.
    let child = match unsafe { fork() }? {
        ForkResult::Child => loop {
            pause();
        },
        ForkResult::Parent { child } => child,
    };
    let measured = job.measure(|| {
        let read = process_vm_readv(child, &mut [IoSliceMut::new(&mut target)], &remote)?;
        (read == job.size)
            .then_some(())
            .ok_or_else(|| "less was read than asked for".into())
    });
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None)?;
    measured
}

/// Lends a block until the program is killed. No compression on the way makes it shorter.
pub fn lend(own: i32, size: usize) -> Outcome {
    let mut block = vec![0; size];
    Xoshiro256PlusPlus::seed_from_u64(1).fill_bytes(&mut block);
    let endpoint = Endpoint::bind(Dvs::open()?, own)?;
    let grant = endpoint.lend(&block, Any)?;
    let key: Vec<String> = grant.key().to_bytes().iter().map(u8::to_string).collect();
    println!("{}", key.join(","));
    io::stdout().flush()?;
    loop {
        thread::park();
    }
}

/// Copies what was lent: one copy after the other, or several at once, as a stream of bytes has
/// several blocks on their way.
pub fn copy(key: &str, job: &Job, own: i32, at_once: u32) -> Outcome {
    let bytes: Result<Vec<u8>, _> = key.split(',').map(str::parse).collect();
    let key = bytes?.try_into().ok().and_then(GrantKey::from_bytes);
    let key = key.ok_or("this is no key of a grant")?;
    let endpoint = Endpoint::bind(Dvs::open()?, own)?;
    let copies = |count: u32| -> Result<(), dvs::CopyError> {
        let mut block = vec![0; job.size];
        for _ in 0..count {
            endpoint.copy_from(key, &mut block, Timeout::Forever)?;
        }
        Ok(())
    };
    if at_once == 1 {
        let mut block = vec![0; job.size];
        return job.measure(|| Ok(endpoint.copy_from(key, &mut block, Timeout::Forever)?));
    }
    let start = Instant::now();
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..at_once)
            .map(|_| scope.spawn(|| copies(job.count / at_once)))
            .collect();
        threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    for result in results {
        result.map_err(|_| "a thread panicked")??;
    }
    job.print(&mut [], start.elapsed())
}
