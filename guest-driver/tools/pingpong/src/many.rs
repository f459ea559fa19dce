//! Many clients at once: one server that answers whoever asks, a thread for each client.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use crate::Outcome;
use crate::line::Address;
use crate::measure::{Job, repeat};
use crate::round_trip::{announce, caller};

/// Round trips of each client before those that count.
const WARM_UP: u32 = 5;

/// Answers so many connections of TCP until all have closed.
pub fn serve(address: &Address, size: usize, clients: u32) -> Outcome {
    let Address::Tcp(host) = address else {
        return Err("many connections at once are served by tcp only".into());
    };
    let listener = TcpListener::bind(host)?;
    announce();
    let ready = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut lines = Vec::new();
    for number in 0..u64::from(clients) {
        let (line, _) = listener.accept()?;
        line.set_nodelay(true)?;
        let data = epoll::EventData::new_u64(number);
        epoll::add(&ready, &line, data, epoll::EventFlags::IN)?;
        lines.push(line);
    }
    let mut message = vec![0; size];
    let mut events = Vec::with_capacity(lines.len());
    let mut open = lines.len();
    while open > 0 {
        events.clear();
        epoll::wait(&ready, spare_capacity(&mut events), None)?;
        for event in &events {
            let line = usize::try_from(event.data.u64())?;
            let line = lines.get_mut(line).ok_or("an event of no connection")?;
            if !answer(line, &mut message)? {
                epoll::delete(&ready, line)?;
                open -= 1;
            }
        }
    }
    Ok(())
}

/// False: the client has closed.
fn answer(line: &mut TcpStream, message: &mut [u8]) -> std::io::Result<bool> {
    match line.read_exact(message) {
        Ok(()) => line.write_all(message).map(|()| true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Calls by so many clients.
pub fn call(address: &Address, job: &Job, own: i32, clients: u32) -> Outcome {
    let all_ready = Barrier::new(usize::try_from(clients)? + 1);
    let (mut times, mut whole) = (Vec::new(), Duration::ZERO);
    let results: Vec<_> = thread::scope(|scope| {
        let start = |number| {
            let all_ready = &all_ready;
            scope.spawn(move || client(address, job, number, job.count / clients, all_ready))
        };
        let threads: Vec<_> = (own..)
            .zip(0..clients)
            .map(|(number, _)| start(number))
            .collect();
        all_ready.wait();
        let begin = Instant::now();
        let ended = threads
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        whole = begin.elapsed();
        ended
    });
    for result in results {
        times.extend(result.map_err(|_| "a thread panicked")??);
    }
    job.print(&mut times, whole)
}

/// One client, with its part of the count. It waits for the others even if it has failed, since
/// they wait for it.
fn client(
    address: &Address,
    job: &Job,
    own: i32,
    count: u32,
    all_ready: &Barrier,
) -> Result<Vec<Duration>, String> {
    let told = |error: Box<dyn std::error::Error>| error.to_string();
    let ready = caller(address, job.size, own).and_then(|mut one| {
        repeat(WARM_UP, &mut one)?;
        Ok(one)
    });
    let ready = ready.map_err(told);
    all_ready.wait();
    repeat(count, &mut ready?).map_err(told)
}
