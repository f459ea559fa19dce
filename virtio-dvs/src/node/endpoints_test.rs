use super::*;
use crate::directory::Directory;
use crate::directory::local::Local;
use crate::spec::SELF;
use crate::switch::Action;
use crate::testing::bind;
use crate::vm::VmAttributes;
use proptest::prelude::*;
use zerocopy::FromZeros;

fn info(
    dcid: u32,
    endpoint: i32,
    receives_from: Option<i32>,
    sends_to: Option<i32>,
) -> EndpointInfo {
    EndpointInfo {
        dcid,
        endpoint,
        generation: 1,
        vm: 1,
        incarnation: 1,
        privileges: privileges(&Privileges {
            calls: 0,
            ipc_to: 0,
            level: 0,
        }),
        state: Some(StateInfo {
            state: String::new(),
            flags: None,
            receives_from,
            sends_to,
            queued: 0,
            pid: None,
            name: String::new(),
            sent_local: 0,
            sent_remote: 0,
            copied_local: 0,
            copied_remote: 0,
        }),
        waits_for: Vec::new(),
        deadlock: false,
    }
}

fn followed(mut infos: Vec<EndpointInfo>) -> Vec<(Vec<i32>, bool)> {
    follow(&mut infos);
    infos
        .into_iter()
        .map(|it| (it.waits_for, it.deadlock))
        .collect()
}

#[test]
fn chains_end_at_whoever_runs() {
    let shown = followed(vec![
        info(0, 40, Some(5), Some(5)),
        info(0, 5, Some(6), None),
        info(0, 6, Some(ANY), None),
        // Nobody has bound 9, or its guest is silent.
        info(0, 7, None, Some(9)),
        info(1, 5, Some(40), None),
    ]);
    let expected = [
        (vec![5, 6], false),
        (vec![6], false),
        (vec![], false),
        (vec![9], false),
        (vec![40], false),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn circles_are_found_and_do_not_go_on_for_ever() {
    let shown = followed(vec![
        info(0, 1, Some(2), Some(2)),
        info(0, 2, Some(3), Some(3)),
        info(0, 3, Some(1), Some(1)),
        info(0, 40, Some(2), Some(2)),
        // What a hostile guest may tell.
        info(0, 7, Some(7), Some(7)),
    ]);
    assert_eq!(shown[0], (vec![2, 3, 1], true));
    assert_eq!(shown[2], (vec![1, 2, 3], true));
    assert_eq!(shown[3], (vec![2, 3, 1, 2], false));
    assert_eq!(shown[4], (vec![7], true));
    let long = (0..100).map(|it| info(0, it, None, Some(it + 1)));
    assert_eq!(followed(long.collect())[0].0.len(), CHAIN_MAX);
}

#[test]
fn states_are_words() {
    let bits = rts::SENDING | rts::RECEIVING;
    assert_eq!(words(bits, &RTS_WORDS).unwrap(), "SENDING RECEIVING");
    assert_eq!(words(0, &RTS_WORDS), None);
    let moving = rts::RECEIVING | rts::MIGRATE;
    assert_eq!(words(moving, &RTS_WORDS).unwrap(), "RECEIVING MIGRATE");
    let odd = misc::NOTIFY | misc::WOKENUP | 0x8000;
    assert_eq!(words(odd, &MISC_WORDS).unwrap(), "NOTIFY WOKENUP 0x8000");
    let all = MISC_WORDS.iter().fold(0, |all, it| all | it.0);
    assert_eq!(
        words(all, &MISC_WORDS).unwrap(),
        "NOTIFY RMTBACKUP GRPLEADER REPLICATED WOKENUP"
    );
}

#[test]
fn names_do_no_harm() {
    assert_eq!(name(b"server\0\0\0\0\0\0\0\0\0\0"), "server");
    assert_eq!(name(b"a name of 16 chr"), "a name of 16 chr");
    assert_eq!(name(b"\x1b[2J\xff~ \n\0rest"), "?[2J?~ ?");
    assert_eq!(name(&[0; 16]), "");
}

#[test]
fn only_what_waits_has_a_peer() {
    let view = EndpointView {
        number: 5,
        generation: 8,
        privileges: Privileges {
            calls: 0,
            ipc_to: 0,
            level: 0,
        },
    };
    let tell = |rts: u32, getfrom: i32, sendto: i32, generation: u32| {
        let told = EndpointState {
            nr: 5.into(),
            generation: generation.into(),
            rts: rts.into(),
            getfrom: getfrom.into(),
            sendto: sendto.into(),
            pid: (-1).into(),
            ..EndpointState::new_zeroed()
        };
        state(&BTreeMap::from([(5, told)]), &view)
    };
    let peers = |it: &StateInfo| (it.receives_from, it.sends_to);
    assert_eq!(tell(0, 1, 1, 7), None, "of an earlier binding");
    let running = tell(0, 1, 2, 8).unwrap();
    assert_eq!((running.state.as_str(), running.pid), ("RUNNING", None));
    assert_eq!(peers(&running), (None, None));
    let server = tell(rts::RECEIVING, ANY, NONE, 8).unwrap();
    assert_eq!(peers(&server), (Some(ANY), None));
    let client = tell(rts::SENDING | rts::RECEIVING, 3, 3, 8).unwrap();
    assert_eq!(peers(&client), (Some(3), Some(3)));
    let odd = tell(rts::RECEIVING, NONE, SELF, 8).unwrap();
    assert_eq!(peers(&odd), (None, None));
}

#[test]
fn what_the_node_knows_is_shown_without_the_guest() {
    let mut switch = Switch::new(1);
    let mut directory = Local::in_memory();
    let mut settle = |switch: &mut Switch| loop {
        while let Some(action) = switch.next_action() {
            if let Action::Ask(id, request) = action {
                directory.submit(id, request);
            }
        }
        match directory.next_answer() {
            Some((id, answer)) => switch.answer(id, answer),
            None => return,
        }
    };
    switch.attach(VmAttributes::new(3, 2)).unwrap();
    settle(&mut switch);
    let id = switch.port_of(3).unwrap();
    switch.connected(id);
    settle(&mut switch);
    let _ = switch.control(id, &bind(40, 1));
    settle(&mut switch);
    let infos = all(&switch, &BTreeMap::new());
    assert_eq!(infos.len(), 1);
    let shown = &infos[0];
    assert_eq!((shown.dcid, shown.vm, shown.endpoint), (2, 3, 40));
    assert_eq!(shown.privileges.level, "USER");
    assert_eq!(shown.privileges.calls, "0x24000420");
    assert_eq!(shown.privileges.ipc_to, "0xffffffffffffffff");
    assert!(shown.state.is_none() && shown.waits_for.is_empty());
    let json = serde_json::to_value(shown).unwrap();
    assert!(json.get("state").is_none() && json.get("queued").is_none());
    let again: EndpointInfo = serde_json::from_value(json).unwrap();
    assert_eq!(&again, shown);
    let full = info(0, 1, Some(2), Some(2));
    let json = serde_json::to_value(&full).unwrap();
    assert_eq!(json["queued"], 0);
    assert_eq!(serde_json::from_value::<EndpointInfo>(json).unwrap(), full);
}

proptest! {
    /// Whatever guests tell, every step of a chain is one that an endpoint waits for.
    #[test]
    fn chains_are_true(waits in prop::collection::vec(prop::option::of(0..20i32), 20)) {
        let infos = waits.iter().zip(0..).map(|(to, at)| info(0, at, None, *to));
        let shown = followed(infos.collect());
        for (at, (chain, deadlock)) in shown.iter().enumerate() {
            let mut now = at;
            for &next in chain {
                prop_assert_eq!(waits[now], Some(next));
                now = usize::try_from(next).unwrap();
            }
            prop_assert_eq!(*deadlock, !chain.is_empty() && now == at);
            let again = chain.split_last().is_some_and(|(last, before)| before.contains(last));
            prop_assert!(waits[now].is_none() || again || now == at);
        }
    }
}
