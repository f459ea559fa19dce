use super::*;

const VM: &str = r#"{"node":1,"epoch":3,"incarnation":2,"colour":"red","member":{"attributes":
    {"vm":1,"dcid":0,"admin":true,"limits":{"max_endpoints":4,"max_peers":2,"weight":1},"x":1},
    "dc":{"name":"a","nr_tasks":8,"nr_procs":16,"nr_sysprocs":10,"y":2}},
    "life":{"tenure":7,"driving":true}}"#;

fn read<T: Record>(value: &str) -> Result<T, DirectoryError> {
    decode(b"key", value.as_bytes())
}

#[test]
fn fields_of_newer_nodes_are_skipped() {
    let record: VmRecord = read(VM).unwrap();
    let member = record.member.clone().unwrap();
    assert!(member.attributes.admin);
    assert_eq!(member.attributes.limits.max_peers, 2);
    assert_eq!(member.dc.nr_procs, 16);
    let again = encode(&record).unwrap();
    assert_eq!(decode::<VmRecord>(b"key", &again).unwrap(), record);
}

#[test]
fn an_endpoint_may_have_privileges() {
    let bare =
        r#"{"vm":1,"incarnation":2,"generation":3,"nonce":18446744073709551615,"bound":true}"#;
    let mut record: EndpointRecord = read(bare).unwrap();
    assert_eq!(record.privileges, None);
    record.privileges = Some(Privileges {
        calls: u64::MAX,
        ipc_to: 1,
        level: 2,
    });
    let again = encode(&record).unwrap();
    assert_eq!(decode::<EndpointRecord>(b"key", &again).unwrap(), record);
}

#[test]
fn what_is_out_of_range_is_broken() {
    let wrong = |from: &str, to: &str| read::<VmRecord>(&VM.replace(from, to)).unwrap_err();
    for (from, to) in [
        ("\"vm\":1", "\"vm\":0"),
        ("\"nr_procs\":16", "\"nr_procs\":0"),
        ("\"epoch\":3", "\"epoch\":0"),
        ("\"incarnation\":2", "\"incarnation\":-2"),
        ("\"life\"", "\"life"),
    ] {
        let error = wrong(from, to).to_string();
        assert!(error.contains("key: "), "{error}");
    }
    let large = " ".repeat(RECORD_MAX + 1);
    let error = read::<NodeRecord>(&large).unwrap_err().to_string();
    assert!(error.contains("larger than 65536 bytes"), "{error}");
}
