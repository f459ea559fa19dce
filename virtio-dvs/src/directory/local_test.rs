use super::*;
use crate::frame::VM_MAX;
use std::fs;
use std::io::Write;
use tempfile::TempDir;

fn ask(directory: &mut Local, request: Request) -> Answer {
    directory.submit(RequestId(1), request);
    directory.next_answer().unwrap().1
}

fn join(directory: &mut Local, vm: u32, dcid: u32) {
    let joined = ask(directory, Request::Join(VmAttributes::new(vm, dcid)));
    assert!(matches!(joined, Answer::Joined(Ok(_))), "{joined:?}");
}

fn begin(directory: &mut Local, vm: u32) -> Owner {
    match ask(directory, Request::Begin { vm }) {
        Answer::Begun(Ok(life)) => Owner {
            vm,
            incarnation: life.incarnation,
        },
        other => panic!("{other:?}"),
    }
}

fn endpoint(number: i32) -> Endpoint {
    Endpoint { dcid: 0, number }
}

fn bind(directory: &mut Local, owner: Owner, number: i32) -> Result<u32, DirectoryError> {
    let request = Request::Bind {
        endpoint: endpoint(number),
        owner,
        nonce: 9,
    };
    match ask(directory, request) {
        Answer::Bound(bound) => bound,
        other => panic!("{other:?}"),
    }
}

const RIGHTS: Privileges = Privileges {
    calls: 1 << 40 | 3,
    ipc_to: u64::MAX - 1,
    level: 1,
};

/// Changes what endpoint 5 may do.
fn privilege(directory: &mut Local, owner: Owner, generation: u32) -> Result<u32, DirectoryError> {
    let request = Request::Privilege {
        endpoint: endpoint(5),
        owner,
        generation,
        privileges: RIGHTS,
    };
    match ask(directory, request) {
        Answer::Privileged(done) => done,
        other => panic!("{other:?}"),
    }
}

fn administrator(vm: u32) -> VmAttributes {
    VmAttributes {
        admin: true,
        ..VmAttributes::new(vm, 0)
    }
}

fn found(directory: &mut Local, number: i32) -> Option<(Owner, u32)> {
    let endpoint = endpoint(number);
    match ask(directory, Request::Lookup { endpoint }) {
        Answer::Found(found) => found.map(|it| (it.owner(), it.generation)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_endpoint_has_one_owner() {
    let mut directory = Local::in_memory();
    join(&mut directory, 1, 0);
    join(&mut directory, 2, 0);
    let (one, two) = (begin(&mut directory, 1), begin(&mut directory, 2));
    let generation = bind(&mut directory, one, 5).unwrap();
    assert_eq!(bind(&mut directory, one, 5), Ok(generation));
    let taken = bind(&mut directory, two, 5).unwrap_err();
    assert_eq!(taken.to_string(), "endpoint 5 of DC 0 is bound by VM 1");
    assert_eq!(found(&mut directory, 5), Some((one, generation)));
    let unbind = |owner, generation| Request::Unbind {
        endpoint: endpoint(5),
        owner,
        generation,
    };
    let not_his = ask(&mut directory, unbind(two, generation));
    assert!(matches!(not_his, Answer::Unbound(Err(_))));
    let stale = ask(&mut directory, unbind(one, generation + 1));
    assert!(matches!(stale, Answer::Unbound(Err(_))));
    assert_eq!(
        ask(&mut directory, unbind(one, generation)),
        Answer::Unbound(Ok(()))
    );
    assert!(bind(&mut directory, two, 5).unwrap() > generation);
}

#[test]
fn a_life_that_is_over_binds_nothing() {
    let mut directory = Local::in_memory();
    join(&mut directory, 1, 0);
    let first = begin(&mut directory, 1);
    bind(&mut directory, first, 5).unwrap();
    assert_eq!(
        ask(&mut directory, Request::End(first)),
        Answer::Done(Ok(()))
    );
    assert_eq!(found(&mut directory, 5), None);
    assert!(bind(&mut directory, first, 5).is_err());
    let second = begin(&mut directory, 1);
    assert!(second.incarnation > first.incarnation);
    // A late end of the first life does not hurt the second.
    bind(&mut directory, second, 5).unwrap();
    let late = ask(&mut directory, Request::End(first));
    assert!(matches!(
        late,
        Answer::Done(Err(DirectoryError::LifeOver(_)))
    ));
    assert!(found(&mut directory, 5).is_some());
    assert_eq!(
        ask(&mut directory, Request::Leave { vm: 1 }),
        Answer::Done(Ok(()))
    );
    assert_eq!(found(&mut directory, 5), None);
    let unknown = ask(&mut directory, Request::Begin { vm: 1 });
    assert_eq!(unknown, Answer::Begun(Err(DirectoryError::NoVm(1))));
}

#[test]
fn numbers_are_used_up_and_not_used_again() {
    let mut directory = Local::in_memory();
    join(&mut directory, VM_MAX, 0);
    directory.state.incarnation = u32::MAX - 2;
    directory.state.generation = u32::MAX - 1;
    let owner = begin(&mut directory, VM_MAX);
    let error = bind(&mut directory, owner, 1).unwrap_err();
    assert!(error.to_string().contains("no number left"));
    let begun = ask(&mut directory, Request::Begin { vm: VM_MAX });
    assert!(matches!(
        begun,
        Answer::Begun(Err(DirectoryError::UsedUp(_)))
    ));
}

fn open(directory: &TempDir, boot: &str) -> Local {
    Local::with_state_file(&directory.path().join("state"), boot).unwrap()
}

#[test]
fn what_was_there_is_there_again() {
    let files = TempDir::new().unwrap();
    let mut directory = open(&files, "boot");
    let joined = ask(&mut directory, Request::Join(administrator(1)));
    assert!(matches!(joined, Answer::Joined(Ok(_))), "{joined:?}");
    join(&mut directory, 2, 3);
    let owner = begin(&mut directory, 1);
    ask(&mut directory, Request::Driving(owner));
    let generation = bind(&mut directory, owner, 5).unwrap();
    assert_eq!(privilege(&mut directory, owner, 0), Ok(generation));
    let records = directory.records();
    assert_eq!(
        records[0].record.life.map(|it| it.incarnation),
        Some(owner.incarnation)
    );
    assert!(records[0].record.driving && !records[1].record.driving);
    let bound = records[0].record.endpoints[0];
    assert_eq!(
        (bound.number, bound.generation, bound.nonce),
        (5, generation, 9)
    );
    assert_eq!(bound.privileges, Some(RIGHTS));
    assert_eq!(records[0].record.attributes, administrator(1));
    drop(directory);
    let mut directory = open(&files, "boot");
    assert_eq!(directory.records(), records);
    assert_eq!(bind(&mut directory, owner, 5), Ok(generation));
    assert!(bind(&mut directory, owner, 6).unwrap() > generation);
    drop(directory);
    // After a boot of the host nobody lives, but numbers do not come again.
    let mut directory = open(&files, "another boot");
    assert_eq!(directory.records().len(), 2);
    assert!(
        directory
            .records()
            .iter()
            .all(|it| it.record.life.is_none())
    );
    assert_eq!(found(&mut directory, 5), None);
    let later = begin(&mut directory, 1);
    assert!(later.incarnation > owner.incarnation);
    assert!(bind(&mut directory, later, 5).unwrap() > generation + 1);
}

#[test]
fn privileges_belong_to_a_binding() {
    let files = TempDir::new().unwrap();
    let mut directory = open(&files, "boot");
    join(&mut directory, 1, 0);
    join(&mut directory, 2, 0);
    let (one, two) = (begin(&mut directory, 1), begin(&mut directory, 2));
    let not_bound = Err(DirectoryError::NotBound(endpoint(5)));
    assert_eq!(privilege(&mut directory, one, 0), not_bound);
    let generation = bind(&mut directory, one, 5).unwrap();
    assert_eq!(privilege(&mut directory, two, 0), not_bound);
    assert_eq!(privilege(&mut directory, one, generation + 1), not_bound);
    assert_eq!(privilege(&mut directory, one, generation), Ok(generation));
    let request = Request::Unbind {
        endpoint: endpoint(5),
        owner: one,
        generation,
    };
    assert_eq!(ask(&mut directory, request), Answer::Unbound(Ok(())));
    bind(&mut directory, two, 5).unwrap();
    for _ in 0..2 {
        assert_eq!(directory.records()[1].record.endpoints[0].privileges, None);
        drop(directory);
        directory = open(&files, "boot");
    }
    assert_eq!(privilege(&mut directory, one, 0), not_bound);
}

#[test]
fn a_file_of_the_first_format_is_understood() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("state");
    let text = r#"{"head":{"format":1,"boot":"boot","incarnation":4,"generation":7}}
{"join":{"attributes":{"vm":1,"dcid":0,"limits":{"max_endpoints":256,"max_peers":32}},"dc":{"name":"","nr_tasks":34,"nr_procs":221,"nr_sysprocs":64}}}
{"begin":{"vm":1,"incarnation":4}}
{"bind":{"dcid":0,"number":5,"owner":{"vm":1,"incarnation":4},"generation":7,"nonce":9}}
"#;
    fs::write(&path, text).unwrap();
    let mut directory = open(&files, "boot");
    let record = directory.records().remove(0).record;
    assert!(!record.attributes.admin);
    assert_eq!(record.endpoints[0].privileges, None);
    let owner = Owner {
        vm: 1,
        incarnation: 4,
    };
    assert_eq!(privilege(&mut directory, owner, 7), Ok(7));
    // Older nodes see from the head that they do not know all of it.
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(r#"{"head":{"format":3"#), "{text}");
}

#[test]
fn a_file_does_not_grow_without_end() {
    let files = TempDir::new().unwrap();
    let mut directory = open(&files, "boot");
    join(&mut directory, 1, 0);
    let owner = begin(&mut directory, 1);
    for _ in 0..10_000 {
        let generation = bind(&mut directory, owner, 5).unwrap();
        let request = Request::Unbind {
            endpoint: endpoint(5),
            owner,
            generation,
        };
        ask(&mut directory, request);
    }
    let text = fs::read_to_string(files.path().join("state")).unwrap();
    assert!(text.lines().count() < 5000);
    drop(directory);
    assert!(bind(&mut open(&files, "boot"), owner, 5).unwrap() > 10_000);
}

#[test]
fn half_a_line_at_the_end_was_never_answered() {
    let files = TempDir::new().unwrap();
    let mut directory = open(&files, "boot");
    join(&mut directory, 1, 0);
    drop(directory);
    let path = files.path().join("state");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(br#"{"begin":{"vm":1,"incarn"#).unwrap();
    let mut directory = open(&files, "boot");
    assert_eq!(directory.records()[0].record.life, None);
    begin(&mut directory, 1);
    drop(directory);
    assert!(open(&files, "boot").records()[0].record.life.is_some());
}

#[test]
fn files_that_are_refused() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("state");
    let head = r#"{"head":{"format":1,"boot":"x","incarnation":0,"generation":0}}"#;
    let refuse = |text: &str| {
        fs::write(&path, text).unwrap();
        let opened = Local::with_state_file(&path, "x");
        let error = opened.unwrap_err().to_string();
        // It stays as it was, for whoever can make sense of it.
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        error
    };
    assert!(refuse("nonsense\n").contains("line 1"));
    assert!(refuse("{\"leave\":{\"vm\":1}}\n").contains("the head is missing"));
    assert!(refuse(&format!("{head}\n{head}\n")).contains("line 2"));
    assert!(refuse(&format!("{head}\n{{\"unheard_of\":1}}\n")).contains("unknown variant"));
    for format in [0, 4] {
        let other = head.replace("\"format\":1", &format!("\"format\":{format}"));
        let error = refuse(&format!("{other}\n"));
        let sentence = format!("its format is {format}, this node knows 1 to 3");
        assert!(error.contains(&sentence), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let _first = open(&files, "x");
    let second = Local::with_state_file(&path, "x").unwrap_err();
    assert!(second.to_string().contains("in use by another node"));
    let nowhere = Local::with_state_file(Path::new("/proc/nothing/state"), "x");
    assert!(
        nowhere
            .unwrap_err()
            .to_string()
            .contains("cannot use the state file")
    );
}

#[test]
fn what_cannot_be_recorded_is_not_promised() {
    let mut directory = Local::in_memory();
    join(&mut directory, 1, 0);
    let owner = begin(&mut directory, 1);
    let generation = bind(&mut directory, owner, 4).unwrap();
    // A file that takes no more.
    directory.journal = Some(Journal::read_only(&tempfile::tempfile().unwrap()));
    assert!(matches!(
        bind(&mut directory, owner, 5),
        Err(DirectoryError::NotRecorded(_))
    ));
    assert_eq!(found(&mut directory, 5), None);
    // What frees something is done all the same.
    let request = Request::Unbind {
        endpoint: endpoint(4),
        owner,
        generation,
    };
    assert_eq!(ask(&mut directory, request), Answer::Unbound(Ok(())));
    assert_eq!(found(&mut directory, 4), None);
}
