//! What the local directory knows: the sum of all changes.

use crate::directory::journal::{Change, FORMAT};
use crate::directory::{BoundRecord, DirectoryError, Endpoint, Owner, Token};
use crate::privileges::Privileges;
use crate::vm::{DcAttributes, VmAttributes};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Vm {
    pub(super) attributes: VmAttributes,
    pub(super) dc: DcAttributes,
    pub(super) incarnation: Option<u32>,
    pub(super) driving: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) owner: Owner,
    pub(super) generation: u32,
    pub(super) nonce: u64,
    pub(super) privileges: Option<Privileges>,
    pub(super) offer: Option<Token>,
}

/// What changes make: VMs, endpoints, and the numbers given out last.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) vms: BTreeMap<u32, Vm>,
    pub(super) endpoints: BTreeMap<Endpoint, Binding>,
    pub(super) incarnation: u32,
    pub(super) generation: u32,
}

impl State {
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Head {
                incarnation,
                generation,
                ..
            } => {
                self.incarnation = self.incarnation.max(*incarnation);
                self.generation = self.generation.max(*generation);
            }
            Change::Join { attributes, dc } => {
                let vm = Vm {
                    attributes: attributes.clone(),
                    dc: dc.clone(),
                    incarnation: None,
                    driving: false,
                };
                self.vms.insert(attributes.vm, vm);
            }
            Change::Leave { vm } => {
                self.vms.remove(vm);
                self.endpoints.retain(|_, binding| binding.owner.vm != *vm);
            }
            Change::Begin(owner) => {
                self.incarnation = self.incarnation.max(owner.incarnation);
                self.set_life(owner.vm, Some(owner.incarnation), false);
            }
            Change::Driving(owner) => self.set_life(owner.vm, Some(owner.incarnation), true),
            Change::End(owner) => {
                self.set_life(owner.vm, None, false);
                self.endpoints.retain(|_, binding| binding.owner != *owner);
            }
            Change::Bind {
                dcid,
                number,
                owner,
                generation,
                nonce,
            } => self.bind(*dcid, *number, *owner, *generation, *nonce),
            Change::Unbind { dcid, number } => {
                self.endpoints.remove(&Endpoint {
                    dcid: *dcid,
                    number: *number,
                });
            }
            Change::Privilege {
                dcid,
                number,
                privileges,
            } => {
                let (dcid, number) = (*dcid, *number);
                if let Some(binding) = self.endpoints.get_mut(&Endpoint { dcid, number }) {
                    binding.privileges = Some(*privileges);
                }
            }
            Change::Offer {
                dcid,
                number,
                token,
            } => {
                let (dcid, number) = (*dcid, *number);
                if let Some(binding) = self.endpoints.get_mut(&Endpoint { dcid, number }) {
                    binding.offer = *token;
                }
            }
            Change::Take {
                dcid,
                number,
                owner,
                nonce,
            } => {
                let (dcid, number) = (*dcid, *number);
                if let Some(binding) = self.endpoints.get_mut(&Endpoint { dcid, number }) {
                    (binding.owner, binding.nonce) = (*owner, *nonce);
                    binding.offer = None;
                }
            }
        }
    }

    fn set_life(&mut self, vm: u32, incarnation: Option<u32>, driving: bool) {
        if let Some(vm) = self.vms.get_mut(&vm) {
            vm.incarnation = incarnation;
            vm.driving = driving;
        }
    }

    fn bind(&mut self, dcid: u32, number: i32, owner: Owner, generation: u32, nonce: u64) {
        self.generation = self.generation.max(generation);
        let binding = Binding {
            owner,
            generation,
            nonce,
            privileges: None,
            offer: None,
        };
        self.endpoints.insert(Endpoint { dcid, number }, binding);
    }

    /// The changes that lead from nothing to this state.
    pub(super) fn snapshot(&self, boot: &str) -> Vec<Change> {
        let mut changes = vec![Change::Head {
            format: FORMAT,
            boot: boot.to_owned(),
            incarnation: self.incarnation,
            generation: self.generation,
        }];
        for vm in self.vms.values() {
            changes.push(Change::Join {
                attributes: vm.attributes.clone(),
                dc: vm.dc.clone(),
            });
            if let Some(incarnation) = vm.incarnation {
                let owner = Owner {
                    vm: vm.attributes.vm,
                    incarnation,
                };
                changes.push(Change::Begin(owner));
                if vm.driving {
                    changes.push(Change::Driving(owner));
                }
            }
        }
        for (&Endpoint { dcid, number }, binding) in &self.endpoints {
            changes.push(Change::Bind {
                dcid,
                number,
                owner: binding.owner,
                generation: binding.generation,
                nonce: binding.nonce,
            });
            changes.extend(binding.privileges.map(|privileges| Change::Privilege {
                dcid,
                number,
                privileges,
            }));
            if binding.offer.is_some() {
                changes.push(Change::Offer {
                    dcid,
                    number,
                    token: binding.offer,
                });
            }
        }
        changes
    }

    pub(super) fn lives(&self, owner: Owner) -> Result<(), DirectoryError> {
        let vm = self
            .vms
            .get(&owner.vm)
            .ok_or(DirectoryError::NoVm(owner.vm))?;
        if vm.incarnation == Some(owner.incarnation) {
            Ok(())
        } else {
            Err(DirectoryError::LifeOver(owner))
        }
    }

    pub(super) fn endpoints_of(&self, vm: u32) -> Vec<BoundRecord> {
        self.endpoints
            .iter()
            .filter(|(_, binding)| binding.owner.vm == vm)
            .map(|(endpoint, binding)| BoundRecord {
                number: endpoint.number,
                generation: binding.generation,
                nonce: binding.nonce,
                privileges: binding.privileges,
                offered: binding.offer.is_some(),
            })
            .collect()
    }
}
