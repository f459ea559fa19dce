//! The side that calls.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use dvs::{Dvs, Endpoint, Error, Timeout};
use dvs_load::{Stop, Timeline};

use crate::hold;
use crate::payload::{HEADER, Header, Kind};
use crate::report::{Faults, Progress, Report, Times};

/// Failed calls in a row after which a client gives up.
const FAILURES_MAX: u32 = 10;

/// Of `dvs-ping client`.
#[derive(Debug, Args)]
pub struct Options {
    /// Endpoint number of this client.
    #[arg(long, allow_negative_numbers = true)]
    ep: i32,
    /// Endpoint number of the server.
    #[arg(long, allow_negative_numbers = true)]
    to: i32,
    /// Calls to make.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(..=100_000_000))]
    count: u64,
    /// Bytes of a message, both ways.
    #[arg(long, default_value_t = 48, value_parser = size)]
    size: usize,
    /// Calls per second; as fast as it goes if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Calls to make before those that are measured.
    #[arg(long, default_value_t = 0)]
    warmup: u64,
    /// Messages by send to strew among the calls.
    #[arg(long, default_value_t = 0)]
    sends: u32,
    /// Notifications to strew among the calls, at most one before each.
    #[arg(long, default_value_t = 0)]
    notifies: u32,
    /// Milliseconds that a call may take.
    #[arg(long, default_value_t = 30_000)]
    timeout_ms: u64,
    /// Stop (SIGSTOP) after the warm-up and after the measured calls, so that whoever runs this
    /// can read counters in between; go on at SIGCONT. A line of JSON, {"held"}, tells of each.
    #[arg(long)]
    hold: bool,
    /// Tell the longest call of each tenth of a second too. A line of JSON, {"started"}, tells where
    /// they begin. (SIGTERM ends the calls early, with or without this.)
    #[arg(long)]
    timeline: bool,
    /// Print the figures as one line of JSON.
    #[arg(long)]
    json: bool,
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(size) if (HEADER..=dvs::MESSAGE_MAX).contains(&size) => Ok(size),
        _ => Err(format!(
            "a message has {HEADER} to {} bytes",
            dvs::MESSAGE_MAX
        )),
    }
}

struct Client<'o> {
    options: &'o Options,
    endpoint: Endpoint,
    timeout: Timeout,
    /// Numbers of the next request and message, and notifications so far.
    next: Header,
    messages: u64,
    faults: Faults,
    failures: u32,
    times: Vec<Duration>,
    timeline: Option<Timeline>,
    progress: Progress,
}

impl Client<'_> {
    fn header(&self, kind: Kind, sequence: u64) -> Header {
        Header {
            kind,
            sequence,
            ..self.next
        }
    }

    /// Counts a failed call; gives up after many in a row.
    fn failed(&mut self, what: &str, error: Error) -> anyhow::Result<()> {
        self.faults.errors += 1;
        self.failures += 1;
        eprintln!("{what} failed: {error}");
        if self.failures == FAILURES_MAX {
            return Err(error).with_context(|| format!("{FAILURES_MAX} calls in a row failed"));
        }
        Ok(())
    }

    fn send(&mut self) -> anyhow::Result<()> {
        let bytes = self
            .header(Kind::Message, self.messages)
            .message(self.options.size);
        match self.endpoint.send(self.options.to, &bytes, self.timeout) {
            Ok(()) => {
                self.messages += 1;
                self.next.sends += 1;
                Ok(())
            }
            Err(error) => self.failed("send", error),
        }
    }

    fn notify(&mut self) -> anyhow::Result<()> {
        match self.endpoint.notify(self.options.to) {
            Ok(()) => {
                self.next.notifies += 1;
                Ok(())
            }
            Err(error) => self.failed("notify", error),
        }
    }

    fn check(&mut self, sent: Header, reply: &[u8]) {
        let expected = Header {
            kind: Kind::Reply,
            ..sent
        };
        match Header::check(reply) {
            Some(reply) if reply == expected => {}
            Some(reply) if reply.sequence < sent.sequence => self.faults.duplicated += 1,
            Some(reply) if reply.sequence > sent.sequence => self.faults.out_of_order += 1,
            _ => self.faults.errors += 1,
        }
    }

    /// One call; tells how long it took if it succeeded.
    fn call(&mut self) -> anyhow::Result<Option<Duration>> {
        let header = self.header(Kind::Request, self.next.sequence);
        let bytes = header.message(self.options.size);
        self.next.sequence += 1;
        let start = Instant::now();
        let result = self.endpoint.sendrec(self.options.to, &bytes, self.timeout);
        let end = Instant::now();
        match result {
            Ok(reply) => {
                self.failures = 0;
                self.check(header, reply.bytes());
                self.progress.call(end);
                if let Some(timeline) = &mut self.timeline {
                    timeline.add(start, end);
                }
                Ok(Some(end.duration_since(start)))
            }
            Err(error) => {
                self.failed("sendrec", error)?;
                Ok(None)
            }
        }
    }

    /// The measured part: calls, with sends and notifications strewn in evenly.
    fn run(&mut self, stop: &Stop) -> anyhow::Result<Duration> {
        let count = self.options.count;
        let due = |total: u32, i: u64| u128::from(total) * u128::from(i + 1) / u128::from(count);
        let (mut sends, mut notifies) = (0, 0);
        let start = Instant::now();
        self.begin_timeline(start)?;
        for i in 0..count {
            if stop.asked() {
                break;
            }
            if let Some(rate) = self.options.rate {
                let at = Duration::from_secs(1).mul_f64(to_f64(i)) / rate;
                thread::sleep((start + at).saturating_duration_since(Instant::now()));
            }
            while sends < due(self.options.sends, i) {
                self.send()?;
                sends += 1;
            }
            if notifies < due(self.options.notifies, i) {
                self.notify()?;
                notifies += 1;
            }
            if let Some(time) = self.call()? {
                self.times.push(time);
            }
        }
        Ok(start.elapsed())
    }

    fn begin_timeline(&mut self, start: Instant) -> anyhow::Result<()> {
        if self.options.timeline {
            println!("{}", serde_json::json!({"started": true}));
            std::io::stdout().flush()?;
            self.timeline = Some(Timeline::from(start));
        }
        Ok(())
    }

    fn hold(&self, at: &str) -> anyhow::Result<()> {
        if self.options.hold {
            println!("{}", serde_json::json!({"held": at}));
            std::io::stdout().flush()?;
            hold::stop().context("cannot stop")?;
        }
        Ok(())
    }

    /// Ends the server's part and adds what it has seen.
    fn finish(&mut self) -> anyhow::Result<()> {
        let header = self.header(Kind::Finish, self.next.sequence);
        let bytes = header.message(HEADER);
        let reply = self.endpoint.sendrec(self.options.to, &bytes, self.timeout);
        let reply = reply.context("the server did not tell its counts")?;
        let Ok(counts) = reply.bytes().try_into() else {
            bail!("the server's counts have {} bytes", reply.bytes().len());
        };
        self.faults = self.faults.and(Faults::decode(counts));
        Ok(())
    }
}

fn to_f64(i: u64) -> f64 {
    u32::try_from(i).map_or(f64::from(u32::MAX), f64::from)
}

/// True: nothing went wrong.
pub fn run(options: &Options, stop: &Stop) -> anyhow::Result<bool> {
    if u64::from(options.notifies) > options.count {
        bail!("at most one notification before each call: --notifies may be --count at most");
    }
    let endpoint = Endpoint::bind(Dvs::open()?, options.ep)
        .with_context(|| format!("cannot bind endpoint {}", options.ep))?;
    let max = endpoint.device().info()?.max_message;
    if options.size > usize::try_from(max).unwrap_or(usize::MAX) {
        bail!("messages of this VM have {max} bytes at most");
    }
    let mut client = Client {
        options,
        endpoint,
        timeout: Timeout::After(Duration::from_millis(options.timeout_ms)),
        next: Header {
            kind: Kind::Request,
            sequence: 0,
            sends: 0,
            notifies: 0,
        },
        messages: 0,
        faults: Faults::default(),
        failures: 0,
        times: Vec::new(),
        timeline: None,
        progress: Progress::new(),
    };
    for _ in 0..options.warmup {
        client.call()?;
    }
    client.hold("warm")?;
    let elapsed = client.run(stop)?;
    client.hold("measured")?;
    client.finish()?;
    let report = Report {
        rpcs: u64::try_from(client.times.len())?,
        faults: client.faults,
        rtt_us: Times::of(client.times),
        sends: client.messages,
        notifies: u64::from(client.next.notifies),
        seconds: elapsed.as_secs_f64(),
        timeline: client.timeline,
    };
    report.print(options.json)?;
    Ok(report.faults == Faults::default())
}

#[cfg(test)]
#[path = "client_test.rs"]
mod tests;
