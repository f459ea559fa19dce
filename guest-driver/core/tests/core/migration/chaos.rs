//! A server that moves among VMs while clients everywhere call it and frames are lost, repeated and
//! late: every call ends well, each is executed once, and each sender's in order.

use super::{TOKEN, take};
use crate::net::{Fate, Net};
use dvs_core::{CallId, Kind};
use proptest::prelude::*;

const VMS: u32 = 3;
const SERVER: i32 = 20;

/// A client: its VM and number, the call under way, and how many it has made.
struct Client {
    vm: u32,
    nr: i32,
    call: Option<(CallId, bool)>,
    made: u32,
}

struct World {
    net: Net,
    at: u32,
    clients: Vec<Client>,
    /// Last number that the server has taken from each client.
    seen: Vec<u32>,
    open: Vec<(i32, u32)>,
}

#[derive(Clone, Debug)]
enum Step {
    Call(usize, bool),
    Notify(usize),
    Serve,
    Reply(usize),
    Fabric(u32),
    Release(usize),
    Move(u32, bool),
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_usize, any::<bool>()).prop_map(|(i, sendrec)| Step::Call(i, sendrec)),
        1 => (0..6_usize).prop_map(Step::Notify),
        4 => Just(Step::Serve),
        3 => (0..4_usize).prop_map(Step::Reply),
        6 => (1..=VMS).prop_map(Step::Fabric),
        1 => (0..8_usize).prop_map(Step::Release),
        1 => (1..=VMS, any::<bool>()).prop_map(|(to, commits)| Step::Move(to, commits)),
        1 => Just(Step::Pass),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Deliver),
        2 => Just(Fate::Drop),
        1 => Just(Fate::Hold),
        1 => Just(Fate::Repeat),
    ]
}

impl World {
    fn new() -> World {
        let mut net = Net::new(VMS);
        assert_eq!(net.bind(1, SERVER).result, 0);
        let clients: Vec<Client> = (0..6)
            .map(|i| {
                let (vm, nr) = (1 + i % VMS, 10 + i.cast_signed());
                assert_eq!(net.bind(vm, nr).result, 0);
                let (call, made) = (None, 0);
                Client { vm, nr, call, made }
            })
            .collect();
        let seen = vec![0; clients.len()];
        World {
            net,
            at: 1,
            clients,
            seen,
            open: Vec::new(),
        }
    }

    /// A client's call has ended, or is still under way.
    fn look(&mut self, i: usize) {
        let client = &mut self.clients[i];
        let Some((call, sendrec)) = client.call else {
            return;
        };
        if self.net.pending(client.vm, call) {
            return;
        }
        let got = self.net.outcome(client.vm, call);
        assert_eq!(got.result, 0, "call {} of {}", client.made, client.nr);
        if sendrec {
            assert_eq!((got.kind, got.from.nr), (Kind::Reply, SERVER));
            assert_eq!(got.data, client.made.to_le_bytes());
        }
        client.call = None;
    }

    fn call(&mut self, i: usize, sendrec: bool) {
        self.look(i);
        let now = self.net.now;
        let client = &mut self.clients[i];
        if client.call.is_some() {
            return;
        }
        client.made += 1;
        let data = [&client.made.to_le_bytes()[..], &[u8::from(sendrec)]].concat();
        let to = dvs_core::Addr::number(SERVER);
        let core = self.net.core(client.vm);
        let id = if sendrec {
            core.sendrec(client.nr, to, &data, 0, now)
        } else {
            core.send(client.nr, to, &data, 0, now)
        };
        client.call = Some((id, sendrec));
    }

    fn serve(&mut self) {
        while let Some((from, kind, data, _)) = self.receive() {
            if kind == Kind::Notify {
                continue;
            }
            let i = usize::try_from(from - 10).unwrap();
            let number = u32::from_le_bytes(data[..4].try_into().unwrap());
            assert_eq!(number, self.seen[i] + 1, "once, and in order, from {from}");
            self.seen[i] = number;
            assert_eq!(data[4] == 1, kind == Kind::Request);
            if kind == Kind::Request {
                self.open.push((from, number));
            }
        }
    }

    fn receive(&mut self) -> Option<(i32, Kind, Vec<u8>, u64)> {
        let now = self.net.now;
        let any = dvs_core::Addr::number(dvs_core::ANY);
        let core = self.net.core(self.at);
        let id = core.receive(SERVER, any, dvs_core::NOWAIT, now);
        let got = self.net.outcome(self.at, id);
        let came = (got.from.nr, got.kind, got.data, got.token);
        (got.result == 0).then_some(came)
    }

    fn reply(&mut self, which: usize) {
        if self.open.is_empty() {
            return;
        }
        let (to, number) = self.open.swap_remove(which % self.open.len());
        let now = self.net.now;
        let to = dvs_core::Addr::number(to);
        let core = self.net.core(self.at);
        let id = core.reply(SERVER, to, 0, &number.to_le_bytes(), now);
        assert_eq!(self.net.result(self.at, id), 0);
    }

    /// Moves the server, or begins to and goes back, with faults in between.
    fn relocate(&mut self, to: u32, commits: bool, fates: &[Fate]) {
        let now = self.net.now;
        let start = self.net.core(self.at).migrate_start(SERVER, TOKEN, now);
        self.net.pass(500_000_000);
        self.net.settle();
        assert_eq!(self.net.result(self.at, start), 0);
        if !commits {
            let back = self.net.migrate_rollback(self.at, SERVER);
            assert_eq!(self.net.result(self.at, back), 0);
            return;
        }
        self.net.fates.extend(fates);
        let now = self.net.now;
        let adopt = self.net.core(to).adopt(SERVER, TOKEN, now);
        let commit = self.net.core(self.at).migrate_commit(SERVER, to, now);
        for i in 0..60 {
            self.net.step(1 + i % VMS);
        }
        self.net.pass(40_000_000_000);
        self.net.settle();
        assert_eq!(self.net.result(self.at, commit), 0);
        assert_eq!(self.net.result(to, adopt), 0);
        self.at = to;
    }

    fn run(&mut self, step: &Step, fates: &[Fate]) {
        match *step {
            Step::Call(i, sendrec) => self.call(i, sendrec),
            Step::Notify(i) => {
                let client = &self.clients[i];
                let (vm, nr, now) = (client.vm, client.nr, self.net.now);
                let to = dvs_core::Addr::number(SERVER);
                self.net.core(vm).notify(nr, to, now);
            }
            Step::Serve => self.serve(),
            Step::Reply(which) => self.reply(which),
            Step::Fabric(vm) => {
                self.net.step(vm);
            }
            Step::Release(which) => self.net.release(which),
            Step::Move(to, commits) => self.relocate(to, commits, fates),
            Step::Pass => self.net.pass(1_500_000_000),
        }
    }

    /// All that is under way comes to its end.
    fn finish(&mut self) {
        self.net.fates.clear();
        for _ in 0..4 {
            self.net.settle();
            self.serve();
            while !self.open.is_empty() {
                self.reply(0);
            }
            self.net.settle();
        }
        for i in 0..self.clients.len() {
            self.look(i);
            let client = &self.clients[i];
            assert!(client.call.is_none(), "a call of {} never ends", client.nr);
            assert_eq!(self.seen[i], client.made);
        }
        assert_eq!(take(&mut self.net, self.at, SERVER), None);
        self.net.assert_clean();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_repeated_or_failed(
        steps in prop::collection::vec(step(), 1..120),
        fates in prop::collection::vec(fate(), 0..200),
        moving in prop::collection::vec(fate(), 0..40),
    ) {
        let mut world = World::new();
        world.net.fates.extend(fates);
        for step in &steps {
            world.run(step, &moving);
        }
        world.finish();
    }
}
