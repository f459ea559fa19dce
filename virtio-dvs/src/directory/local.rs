//! The directory of a single host, in the node's own process.

mod hands;

use crate::directory::journal::{Change, FORMAT, FORMAT_OLDEST, Journal};
use crate::directory::state::{State, Vm};
use crate::directory::{
    Answer, Directory, DirectoryError, Endpoint, Found, Interest, Lives, Location, News, NodeId,
    Owner, Place, Request, RequestId, Seen, Start, VmRecord, next,
};
use crate::privileges::Privileges;
use crate::vm::{DcAttributes, VmAttributes};
use std::collections::VecDeque;
use std::path::Path;

pub use crate::directory::journal::StateFileError;

/// The epoch of every life: nothing moves.
const EPOCH: u32 = 1;

/// The directory of a single host. Answers are there at once, and nothing happens unasked.
#[derive(Debug, Default)]
pub struct Local {
    state: State,
    journal: Option<Journal>,
    boot: String,
    answers: VecDeque<(RequestId, Answer)>,
}

impl Local {
    /// A directory that is forgotten with the process.
    pub fn in_memory() -> Local {
        Local::default()
    }

    /// A directory that a later node finds again in `path`. `boot` names the host's current boot:
    /// lives of an earlier one are over.
    pub fn with_state_file(path: &Path, boot: &str) -> Result<Local, StateFileError> {
        let (mut journal, changes) = Journal::open(path)?;
        let mut state = State::default();
        let mut same_boot = true;
        for (index, change) in changes.iter().enumerate() {
            check_head(path, index, change)?;
            if let Change::Head { boot: written, .. } = change {
                same_boot = written == boot;
            }
            state.apply(change);
        }
        if !same_boot {
            state.endpoints.clear();
            for vm in state.vms.values_mut() {
                vm.incarnation = None;
                vm.driving = false;
            }
        }
        journal
            .rewrite(&state.snapshot(boot))
            .map_err(|error| StateFileError::Io {
                path: path.to_path_buf(),
                error,
            })?;
        Ok(Local {
            state,
            journal: Some(journal),
            boot: boot.to_owned(),
            answers: VecDeque::new(),
        })
    }

    /// Records a change, then makes it.
    fn change(&mut self, change: Change) -> Result<(), DirectoryError> {
        if let Some(journal) = &mut self.journal {
            journal
                .append(&change)
                .map_err(|error| DirectoryError::NotRecorded(error.to_string()))?;
        }
        self.state.apply(&change);
        self.compact();
        Ok(())
    }

    /// Makes a change that frees something. It is made even where it cannot be recorded: a life that
    /// is over must not go on, and a node started later finds out when the VM resets its device.
    fn release(&mut self, change: Change) {
        if let Some(Err(error)) = self.journal.as_mut().map(|it| it.append(&change)) {
            tracing::warn!("the change {change:?} cannot be recorded in the state file: {error}");
        }
        self.state.apply(&change);
        self.compact();
    }

    fn compact(&mut self) {
        let live = 1 + 3 * self.state.vms.len() + 3 * self.state.endpoints.len();
        let Some(journal) = self.journal.as_mut().filter(|it| it.is_stale(live)) else {
            return;
        };
        if let Err(error) = journal.rewrite(&self.state.snapshot(&self.boot)) {
            // The old file is still complete; it only grows on.
            tracing::warn!("the state file cannot be rewritten: {error}");
        }
    }

    fn join(&mut self, attributes: VmAttributes) -> Result<DcAttributes, DirectoryError> {
        if self.state.vms.contains_key(&attributes.vm) {
            return Err(DirectoryError::VmInUse(attributes.vm));
        }
        let dcid = attributes.dcid;
        let mut vms = self.state.vms.values();
        let existing = vms.find(|vm| vm.attributes.dcid == dcid).map(|vm| &vm.dc);
        let dc = match (existing, &attributes.dc) {
            (Some(existing), Some(asked)) if existing != asked => {
                return Err(DirectoryError::DcDiffers {
                    dcid,
                    existing: serde_json::to_string(existing).unwrap_or_default(),
                });
            }
            (Some(existing), _) => existing.clone(),
            (None, asked) => asked.clone().unwrap_or_default(),
        };
        self.change(Change::Join {
            attributes,
            dc: dc.clone(),
        })?;
        Ok(dc)
    }

    fn leave(&mut self, vm: u32) -> Result<(), DirectoryError> {
        if !self.state.vms.contains_key(&vm) {
            return Err(DirectoryError::NoVm(vm));
        }
        self.release(Change::Leave { vm });
        Ok(())
    }

    fn begin(&mut self, vm: u32) -> Result<Location, DirectoryError> {
        let record = self.state.vms.get(&vm).ok_or(DirectoryError::NoVm(vm))?;
        let dcid = record.attributes.dcid;
        if let Some(incarnation) = record.incarnation {
            self.end(Owner { vm, incarnation })?;
        }
        let incarnation = next(self.state.incarnation, "life of a VM")?;
        self.change(Change::Begin(Owner { vm, incarnation }))?;
        Ok(here(incarnation, dcid))
    }

    fn driving(&mut self, owner: Owner) -> Result<(), DirectoryError> {
        self.state.lives(owner)?;
        self.change(Change::Driving(owner))
    }

    fn end(&mut self, owner: Owner) -> Result<(), DirectoryError> {
        self.state.lives(owner)?;
        self.release(Change::End(owner));
        Ok(())
    }

    fn bind(
        &mut self,
        endpoint: Endpoint,
        owner: Owner,
        nonce: u64,
    ) -> Result<u32, DirectoryError> {
        self.state.lives(owner)?;
        if let Some(binding) = self.state.endpoints.get(&endpoint) {
            if binding.owner == owner && binding.nonce == nonce {
                return Ok(binding.generation);
            }
            let vm = binding.owner.vm;
            return Err(DirectoryError::Taken { endpoint, vm });
        }
        let generation = next(self.state.generation, "generation of an endpoint")?;
        self.change(Change::Bind {
            dcid: endpoint.dcid,
            number: endpoint.number,
            owner,
            generation,
            nonce,
        })?;
        Ok(generation)
    }

    fn unbind(
        &mut self,
        endpoint: Endpoint,
        owner: Owner,
        generation: u32,
    ) -> Result<(), DirectoryError> {
        match self.state.endpoints.get(&endpoint) {
            Some(binding)
                if binding.owner == owner && [0, binding.generation].contains(&generation) =>
            {
                self.release(Change::Unbind {
                    dcid: endpoint.dcid,
                    number: endpoint.number,
                });
                Ok(())
            }
            _ => Err(DirectoryError::NotBound(endpoint)),
        }
    }

    fn privilege(
        &mut self,
        endpoint: Endpoint,
        owner: Owner,
        generation: u32,
        privileges: Privileges,
    ) -> Result<u32, DirectoryError> {
        let bound = self.state.endpoints.get(&endpoint).filter(|binding| {
            binding.owner == owner && [0, binding.generation].contains(&generation)
        });
        let generation = bound.ok_or(DirectoryError::NotBound(endpoint))?.generation;
        self.change(Change::Privilege {
            dcid: endpoint.dcid,
            number: endpoint.number,
            privileges,
        })?;
        Ok(generation)
    }

    fn lookup(&self, endpoint: Endpoint) -> Option<Found> {
        let binding = self.state.endpoints.get(&endpoint)?;
        Some(Found {
            vm: binding.owner.vm,
            generation: binding.generation,
            location: here(binding.owner.incarnation, endpoint.dcid),
        })
    }

    fn locate(&self, vm: u32) -> Lives {
        let vm = self.state.vms.get(&vm);
        let life = |vm: &Vm| Some(here(vm.incarnation?, vm.attributes.dcid));
        Lives {
            last: self.state.incarnation,
            current: vm.and_then(life),
        }
    }
}

impl Directory for Local {
    fn records(&self) -> Vec<Seen> {
        let record = |vm: &Vm| VmRecord {
            attributes: vm.attributes.clone(),
            dc: vm.dc.clone(),
            life: vm.incarnation.map(|it| here(it, vm.attributes.dcid)),
            driving: vm.driving,
            start: Start::Made,
            endpoints: self.state.endpoints_of(vm.attributes.vm),
        };
        let seen = |vm| {
            let record = record(vm);
            let incarnation = record.life.map_or(0, |it| it.incarnation);
            let place = Place {
                node: NodeId::default(),
                epoch: EPOCH,
                incarnation,
            };
            Seen { place, record }
        };
        self.state.vms.values().map(seen).collect()
    }

    fn submit(&mut self, id: RequestId, request: Request) {
        let answer = match request {
            Request::Join(attributes) => Answer::Joined(self.join(attributes)),
            Request::Leave { vm } => Answer::Done(self.leave(vm)),
            Request::Begin { vm } => Answer::Begun(self.begin(vm)),
            Request::Driving(owner) => Answer::Done(self.driving(owner)),
            Request::End(owner) => Answer::Done(self.end(owner)),
            Request::Bind {
                endpoint,
                owner,
                nonce,
            } => Answer::Bound(self.bind(endpoint, owner, nonce)),
            Request::Unbind {
                endpoint,
                owner,
                generation,
            } => Answer::Unbound(self.unbind(endpoint, owner, generation)),
            Request::Privilege {
                endpoint,
                owner,
                generation,
                privileges,
            } => Answer::Privileged(self.privilege(endpoint, owner, generation, privileges)),
            Request::Take { .. } | Request::Look { .. } => Answer::Seen(Err(DirectoryError::Alone)),
            Request::Started { .. } => Answer::Done(Err(DirectoryError::Alone)),
            Request::Offer {
                endpoint,
                owner,
                generation,
                token,
            } => Answer::Offered(self.offer(endpoint, owner, generation, token)),
            Request::Adopt {
                endpoint,
                owner,
                generation,
                token,
                nonce,
            } => Answer::Adopted(self.adopt(endpoint, owner, (generation, token), nonce)),
            Request::Lookup { endpoint } | Request::Await { endpoint } => {
                Answer::Found(self.lookup(endpoint))
            }
            Request::Locate { vm } => Answer::Located(self.locate(vm)),
        };
        self.answers.push_back((id, answer));
    }

    fn next_answer(&mut self) -> Option<(RequestId, Answer)> {
        self.answers.pop_front()
    }

    fn unwatch(&mut self, _interest: Interest) {}

    fn next_news(&mut self) -> Option<News> {
        None
    }
}

/// All lives are here; which number this node has is nobody's business.
fn here(incarnation: u32, dcid: u32) -> Location {
    Location {
        incarnation,
        node: NodeId::default(),
        epoch: EPOCH,
        dcid,
    }
}

/// The head is the first line and nowhere else, and of this format.
fn check_head(path: &Path, index: usize, change: &Change) -> Result<(), StateFileError> {
    let reason = match change {
        Change::Head { format, .. } if index == 0 && (FORMAT_OLDEST..=FORMAT).contains(format) => {
            return Ok(());
        }
        Change::Head { format, .. } if index == 0 => {
            format!("its format is {format}, this node knows {FORMAT_OLDEST} to {FORMAT}")
        }
        Change::Head { .. } => "a second head".to_owned(),
        _ if index == 0 => "the head is missing".to_owned(),
        _ => return Ok(()),
    };
    Err(StateFileError::Format {
        path: path.to_path_buf(),
        line: index + 1,
        reason,
    })
}

#[cfg(test)]
#[path = "local_test.rs"]
mod tests;
