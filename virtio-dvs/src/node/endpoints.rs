//! What is shown of endpoints: what the node knows, what the guests tell, and who waits for whom.

use crate::frame::{EndpointState, misc, rts};
use crate::node::control::{EndpointInfo, PrivilegeInfo, StateInfo};
use crate::privileges::{LEVEL_SERVER, LEVEL_TASK, Privileges};
use crate::spec::{ANY, NONE};
use crate::switch::{EndpointView, PortId, Switch, Told};
use std::collections::BTreeMap;

/// Endpoints that are followed from one that waits.
const CHAIN_MAX: usize = 32;

/// What an endpoint waits for, in the DVS's words.
const RTS_WORDS: [(u32, &str); 6] = [
    (rts::SENDING, "SENDING"),
    (rts::RECEIVING, "RECEIVING"),
    (rts::ONCOPY, "ONCOPY"),
    (rts::MIGRATE, "MIGRATE"),
    (rts::WAITUNBIND, "WAITUNBIND"),
    (rts::WAITBIND, "WAITBIND"),
];

/// What else it is, in the DVS's words.
const MISC_WORDS: [(u32, &str); 5] = [
    (misc::NOTIFY, "NOTIFY"),
    (misc::RMTBACKUP, "RMTBACKUP"),
    (misc::GRPLEADER, "GRPLEADER"),
    (misc::REPLICATED, "REPLICATED"),
    (misc::WOKENUP, "WOKENUP"),
];

/// All endpoints, by VM and number.
pub(super) fn all(switch: &Switch, told: &BTreeMap<u32, Told>) -> Vec<EndpointInfo> {
    let mut infos = Vec::new();
    for id in switch.ports() {
        add_port(switch, id, told, &mut infos);
    }
    follow(&mut infos);
    infos
}

fn add_port(
    switch: &Switch,
    id: PortId,
    told: &BTreeMap<u32, Told>,
    infos: &mut Vec<EndpointInfo>,
) {
    let Some((attributes, incarnation)) = switch.attributes(id).zip(switch.incarnation(id)) else {
        return;
    };
    let states = told.get(&attributes.vm).map(|told| &told.states);
    infos.extend(switch.endpoints(id).map(|it| EndpointInfo {
        dcid: attributes.dcid,
        endpoint: it.number,
        generation: it.generation,
        vm: attributes.vm,
        incarnation,
        privileges: privileges(&it.privileges),
        state: states.and_then(|states| state(states, &it)),
        waits_for: Vec::new(),
        deadlock: false,
    }));
}

fn privileges(privileges: &Privileges) -> PrivilegeInfo {
    let level = match privileges.level {
        LEVEL_TASK => "TASK",
        LEVEL_SERVER => "SERVER",
        _ => "USER",
    };
    PrivilegeInfo {
        level: level.to_owned(),
        calls: format!("{:#x}", privileges.calls),
        ipc_to: format!("{:#x}", privileges.ipc_to),
    }
}

/// What the guest told of this very endpoint; it may have told of one that had its number before.
fn state(states: &BTreeMap<i32, EndpointState>, view: &EndpointView) -> Option<StateInfo> {
    let told = states.get(&view.number);
    let state = told.filter(|state| state.generation.get() == view.generation)?;
    let waits = state.rts.get();
    let peer = |waits_so: u32, peer: i32| (waits & waits_so != 0 && peer != NONE).then_some(peer);
    Some(StateInfo {
        state: words(waits, &RTS_WORDS).unwrap_or_else(|| "RUNNING".to_owned()),
        flags: words(state.misc.get(), &MISC_WORDS),
        receives_from: peer(rts::RECEIVING, state.getfrom.get()),
        sends_to: peer(rts::SENDING, state.sendto.get()),
        queued: state.queued.get(),
        pid: Some(state.pid.get()).filter(|pid| *pid >= 0),
        name: name(&state.name),
        sent_local: state.lclsent.get(),
        sent_remote: state.rmtsent.get(),
        copied_local: state.lclcopy.get(),
        copied_remote: state.rmtcopy.get(),
    })
}

/// The words for the bits that are set; bits without a word as a number. `None` if none is set.
fn words(bits: u32, words: &[(u32, &str)]) -> Option<String> {
    let known = words.iter().filter(|(bit, _)| bits & bit != 0);
    let mut said: Vec<String> = known.map(|(_, word)| (*word).to_owned()).collect();
    let rest = words.iter().fold(bits, |bits, (bit, _)| bits & !bit);
    if rest != 0 {
        said.push(format!("{rest:#x}"));
    }
    (!said.is_empty()).then(|| said.join(" "))
}

/// The name that a guest gives, as text that does no harm to a terminal.
fn name(bytes: &[u8]) -> String {
    let used = bytes.iter().take_while(|byte| **byte != 0);
    let shown = used.map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    });
    shown.collect()
}

/// Finds for each endpoint whom it waits for, whom that one waits for, and so on.
fn follow(infos: &mut [EndpointInfo]) {
    let next = |info: &EndpointInfo| Some(((info.dcid, info.endpoint), waits_for(info)?));
    let waits: BTreeMap<(u32, i32), i32> = infos.iter().filter_map(next).collect();
    for info in infos {
        let mut chain = Vec::new();
        let mut at = info.endpoint;
        while let Some(&next) = waits.get(&(info.dcid, at)) {
            if chain.len() == CHAIN_MAX {
                break;
            }
            at = next;
            let again = chain.contains(&at);
            chain.push(at);
            if at == info.endpoint || again {
                break;
            }
        }
        info.deadlock = chain.last() == Some(&info.endpoint);
        info.waits_for = chain;
    }
}

/// The one endpoint without which this one does not go on.
fn waits_for(info: &EndpointInfo) -> Option<i32> {
    let state = info.state.as_ref()?;
    let received = state.receives_from.filter(|from| *from != ANY);
    state.sends_to.or(received)
}

#[cfg(test)]
#[path = "endpoints_test.rs"]
mod tests;
