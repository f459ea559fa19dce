//! An etcd of each test's own, and nodes that wait for what they hear.

use super::super::*;
use crate::directory::{Endpoint, Found, Lease, Lives, Owner};
use crate::vm::VmAttributes;
use etcd_client::{Client, Error};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

/// Nothing that is waited for takes longer.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// Ports that the kernel gives to nobody by itself, so that a server finds its own again.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

fn free_port() -> u16 {
    let start = std::process::id() % 10_000;
    loop {
        let next = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (u16::try_from(start).unwrap() + next) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A server that is gone with the test.
pub(super) struct Server {
    data: TempDir,
    url: String,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl Server {
    pub(super) fn start() -> Server {
        Server::with(&[], "http")
    }

    pub(super) fn with(arguments: &[&str], scheme: &str) -> Server {
        // It writes every change through; that takes long on a disk.
        let memory = Path::new("/dev/shm");
        let data = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        let mut server = Server {
            data: data.unwrap(),
            url: format!("{scheme}://127.0.0.1:{}", free_port()),
            arguments: arguments.iter().map(|&it| it.to_owned()).collect(),
            process: None,
        };
        server.run();
        server
    }

    pub(super) fn run(&mut self) {
        let mut process = Process::new("etcd")
            .arg("--data-dir")
            .arg(self.data.path().join("data"))
            .args(["--listen-client-urls", &self.url])
            .args(["--advertise-client-urls", &self.url])
            .args(["--listen-peer-urls", "http://127.0.0.1:0"])
            .args(["--initial-advertise-peer-urls", "http://127.0.0.1:1"])
            .args(["--initial-cluster", "default=http://127.0.0.1:1"])
            .args(["--heartbeat-interval", "50", "--election-timeout", "500"])
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Debian's package etcd-server must be installed");
        let mut log = BufReader::new(process.stderr.take().unwrap());
        self.process = Some(process);
        let mut line = String::new();
        while !line.contains("ready to serve client requests") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "etcd has ended");
        }
        // It goes on talking.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.process.as_ref().unwrap())
    }

    pub(super) fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
    }

    pub(super) fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    pub(super) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(super) fn config(&self) -> EtcdConfig {
        EtcdConfig {
            endpoints: vec![self.url.clone()],
            timeout_ms: 30_000,
            ..EtcdConfig::default()
        }
    }

    /// How often it was asked to read or change something.
    pub(super) fn asked(&self) -> u64 {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        let counted = |line: &String| {
            let kv = line.contains(r#"grpc_service="etcdserverpb.KV""#);
            kv && line.starts_with("grpc_server_started_total")
        };
        let count = |line: String| line.rsplit(' ').next()?.parse::<u64>().ok();
        lines.filter(counted).filter_map(count).sum()
    }

    /// Does something in etcd that no node does.
    pub(super) fn administer<T>(&self, what: impl AsyncFn(Client) -> Result<T, Error>) -> T {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::connect([&self.url], None).await.unwrap();
            what(client).await.unwrap()
        })
    }

    pub(super) fn put(&self, key: &str, value: &str) {
        let key = format!("/dvs/v1/{key}");
        self.administer(async |client| client.kv_client().put(key.as_str(), value, None).await);
    }

    pub(super) fn get(&self, key: &str) -> Option<String> {
        let key = format!("/dvs/v1/{key}");
        let get = async |client: Client| client.kv_client().get(key.as_str(), None).await;
        let found = self.administer(get);
        found
            .kvs()
            .first()
            .map(|it| it.value_str().unwrap().to_owned())
    }

    /// Ends the lease of a node as if it had run out.
    pub(super) fn expire(&self, node: u32) {
        let key = format!("/dvs/v1/nodes/{node}");
        self.administer(async |client| {
            let found = client.kv_client().get(key.as_str(), None).await?;
            let lease = found.kvs().first().unwrap().lease();
            client.lease_client().revoke(lease).await
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// Waits until something is there. Gives whether it is.
pub(super) fn wait(signal: impl AsFd) -> bool {
    let mut ready = [PollFd::new(&signal, PollFlags::IN)];
    poll(&mut ready, Some(&PATIENCE)).unwrap() == 1
}

pub(super) fn me(node: u32) -> Me {
    Me {
        node: NodeId(node),
        address: format!("host{node}:7000"),
        boot: "boot".to_owned(),
    }
}

/// A node of the cluster.
pub(super) struct Node {
    pub(super) directory: Etcd,
    next: u64,
    answers: BTreeMap<RequestId, Answer>,
    news: VecDeque<News>,
}

impl Node {
    pub(super) fn start(server: &Server, node: u32) -> Node {
        Node::open(&server.config(), me(node)).unwrap()
    }

    pub(super) fn open(config: &EtcdConfig, me: Me) -> Result<Node, EtcdError> {
        Ok(Node {
            directory: Etcd::open(config, me)?,
            next: 0,
            answers: BTreeMap::new(),
            news: VecDeque::new(),
        })
    }

    pub(super) fn submit(&mut self, request: Request) -> RequestId {
        self.next += 1;
        let id = RequestId(self.next);
        self.directory.submit(id, request);
        id
    }

    /// Waits until something has come, and takes all.
    fn take(&mut self) {
        let came = wait(self.directory.signal().unwrap());
        assert!(came, "nothing came; news were {:?}", self.news);
        loop {
            let answer = self.directory.next_answer();
            let news = self.directory.next_news();
            if answer.is_none() && news.is_none() {
                return;
            }
            self.answers.extend(answer);
            self.news.extend(news);
        }
    }

    pub(super) fn answer(&mut self, id: RequestId) -> Answer {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            self.take();
        }
    }

    pub(super) fn ask(&mut self, request: Request) -> Answer {
        let id = self.submit(request);
        self.answer(id)
    }

    /// Waits for news, and gives all up to it.
    pub(super) fn until(&mut self, wanted: impl Fn(&News) -> bool) -> Vec<News> {
        let mut heard = Vec::new();
        loop {
            while let Some(news) = self.news.pop_front() {
                let found = wanted(&news);
                heard.push(news);
                if found {
                    return heard;
                }
            }
            self.take();
        }
    }

    pub(super) fn until_lease(&mut self, lease: Lease) -> Vec<News> {
        self.until(|news| *news == News::Lease(lease))
    }

    pub(super) fn until_lost(&mut self, node: u32) -> Vec<News> {
        self.until(|news| *news == News::NodeLost(NodeId(node)))
    }

    /// What was heard and not yet asked for.
    pub(super) fn heard(&mut self) -> Vec<News> {
        self.news.drain(..).collect()
    }

    pub(super) fn join(&mut self, vm: u32) {
        let joined = self.ask(Request::Join(VmAttributes::new(vm, 0)));
        assert!(matches!(joined, Answer::Joined(Ok(_))), "{joined:?}");
    }

    pub(super) fn begin(&mut self, vm: u32) -> Owner {
        match self.ask(Request::Begin { vm }) {
            Answer::Begun(Ok(life)) => Owner {
                vm,
                incarnation: life.incarnation,
            },
            other => panic!("{other:?}"),
        }
    }

    /// A VM with a first life.
    pub(super) fn boot(&mut self, vm: u32) -> Owner {
        self.join(vm);
        self.begin(vm)
    }

    pub(super) fn bind(&mut self, owner: Owner, number: i32) -> Result<u32, DirectoryError> {
        let request = Request::Bind {
            endpoint: endpoint(number),
            owner,
            nonce: 9,
        };
        match self.ask(request) {
            Answer::Bound(bound) => bound,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn end(&mut self, owner: Owner) -> Result<(), DirectoryError> {
        match self.ask(Request::End(owner)) {
            Answer::Done(done) => done,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn lookup(&mut self, number: i32) -> Option<Found> {
        let endpoint = endpoint(number);
        match self.ask(Request::Lookup { endpoint }) {
            Answer::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn locate(&mut self, vm: u32) -> Lives {
        match self.ask(Request::Locate { vm }) {
            Answer::Located(lives) => lives,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn endpoint(number: i32) -> Endpoint {
    Endpoint { dcid: 0, number }
}
