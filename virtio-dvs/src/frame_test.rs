//! Holds the constants and layouts of the node, of the driver and of the specification together.

use super::*;
use crate::privileges::*;
use crate::spec::*;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::offset_of;

const WIRE: &str = include_str!("../../guest-driver/core/wire.h");
const ERRORS: &str = include_str!("../../guest-driver/core/errors.h");
const SPEC: &str = include_str!("../../resources/virtio-dvs-spec.md");

type Constants = BTreeMap<String, i64>;
/// Offset and size by field.
type Layout = BTreeMap<String, (usize, usize)>;

/// A decimal or hexadecimal number, or the sum or difference of two constants.
fn value(text: &str, known: &Constants) -> i64 {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')');
    if let Some((left, right)) = text.split_once(" - ") {
        return known[left.trim()] - known[right.trim()];
    }
    if let Some((left, right)) = text.split_once(" + ") {
        return known[left.trim()] + known[right.trim()];
    }
    number(text)
}

fn number(text: &str) -> i64 {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).unwrap(),
        None => text.parse().unwrap(),
    }
}

fn defines(source: &str) -> Constants {
    let mut found = Constants::new();
    for line in source.lines() {
        let Some(rest) = line.strip_prefix("#define DVS_") else {
            continue;
        };
        let rest = rest.split("/*").next().unwrap();
        let Some((name, text)) = rest.split_once(char::is_whitespace) else {
            continue;
        };
        let number = value(text, &found);
        found.insert(format!("DVS_{name}"), number);
    }
    found
}

/// The cells of a table's row.
fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

fn spec_constants() -> Constants {
    let rows = SPEC.lines().filter(|line| line.starts_with("| `DVS_"));
    let constant = |line| {
        let cells = cells(line);
        let name = cells[0].trim_matches('`').to_owned();
        // Other tables name constants too.
        let is_number = cells[1].starts_with(|it: char| it.is_ascii_digit() || it == '-');
        is_number.then(|| (name, number(cells[1])))
    };
    rows.filter_map(constant).collect()
}

fn c_layout(name: &str) -> Layout {
    let body = WIRE.split(&format!("struct {name} {{")).nth(1).unwrap();
    let body = body.split("};").next().unwrap();
    let mut layout = Layout::new();
    let mut offset = 0;
    for line in body.lines() {
        let code = line.split("/*").next().unwrap().trim();
        let Some((kind, field)) = code.trim_end_matches(';').split_once(' ') else {
            continue;
        };
        let unit = match kind {
            "dvs_u8" => 1,
            "dvs_u16" => 2,
            "dvs_u32" | "dvs_s32" => 4,
            "dvs_u64" => 8,
            other => panic!("unknown type {other}"),
        };
        let (field, count) = match field.split_once('[') {
            Some((field, count)) => (field, count.trim_end_matches(']').parse().unwrap()),
            None => (field, 1),
        };
        assert_eq!(offset % unit, 0, "{name}.{field} is padded");
        layout.insert(field.to_owned(), (offset, unit * count));
        offset += unit * count;
    }
    layout
}

fn spec_layout(name: &str) -> Layout {
    let header = format!("| offset | size | `struct {name}` |");
    let table = SPEC.split(&header).nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|it| it.starts_with('|'));
    let field = |line| {
        let cells = cells(line);
        let name = cells[2].trim_matches('`').to_owned();
        (name, (cells[0].parse().unwrap(), cells[1].parse().unwrap()))
    };
    rows.map(field).collect()
}

macro_rules! layout {
    ($type:ty { $($field:ident $(as $name:literal)?),+ $(,)? }) => {{
        let value = <$type>::new_zeroed();
        let mut layout = Layout::new();
        $(
            let name = [$($name,)? stringify!($field)][0];
            layout.insert(name.to_owned(), (offset_of!($type, $field), size_of_val(&value.$field)));
        )+
        layout
    }};
}

fn check_layout(name: &str, rust: &Layout, size: usize) {
    assert_eq!(&c_layout(name), rust, "{name} in wire.h and in Rust");
    assert_eq!(&spec_layout(name), rust, "{name} in the text and in Rust");
    assert_eq!(rust.values().map(|it| it.1).sum::<usize>(), size);
}

fn kinds() -> Vec<(&'static str, u8)> {
    vec![
        ("RETRY", kind::RETRY),
        ("GONE", kind::GONE),
        ("BOUND", kind::BOUND),
        ("UNBOUND", kind::UNBOUND),
        ("FOUND", kind::FOUND),
        ("ASK", kind::ASK),
        ("ORDER", kind::ORDER),
        ("PRIVILEGED", kind::PRIVILEGED),
        ("RENEWED", kind::RENEWED),
        ("OFFERED", kind::OFFERED),
        ("NODE_LAST", kind::NODE_LAST),
        ("ACK", kind::ACK),
        ("REFUSED", kind::REFUSED),
        ("TELL", kind::TELL),
        ("ORDERED", kind::ORDERED),
        ("UNNUMBERED_LAST", kind::UNNUMBERED_LAST),
        ("MSG", kind::MSG),
        ("REQ", kind::REQ),
        ("NTF", kind::NTF),
        ("COPY_IN", kind::COPY_IN),
        ("COPY_OUT", kind::COPY_OUT),
        ("REQUEST_FIRST", kind::REQUEST_FIRST),
        ("REQUEST_LAST", kind::REQUEST_LAST),
        ("WATCH", kind::WATCH),
        ("FETCH", kind::FETCH),
        ("ADOPT", kind::ADOPT),
        ("WATCH_LAST", kind::WATCH_LAST),
        ("CANCEL", kind::CANCEL),
        ("DIED", kind::DIED),
        ("NOP", kind::NOP),
        ("MOVED", kind::MOVED),
        ("BOUNCED", kind::BOUNCED),
        ("ADOPTED", kind::ADOPTED),
        ("ELSEWHERE", kind::ELSEWHERE),
        ("TAKEN", kind::TAKEN),
        ("RPL", kind::RPL),
        ("CANCELLED", kind::CANCELLED),
        ("FAILED", kind::FAILED),
        ("NOTHERE", kind::NOTHERE),
        ("REDIRECT", kind::REDIRECT),
        ("COPIED", kind::COPIED),
        ("HAND", kind::HAND),
        ("BULK_DATA", kind::BULK_DATA),
        ("BULK_NOP", kind::BULK_NOP),
    ]
}

/// What endpoints may do and what their states are made of.
fn bits() -> Vec<(&'static str, i64)> {
    vec![
        ("DVS_MAY_SEND", call::SEND.into()),
        ("DVS_MAY_RECEIVE", call::RECEIVE.into()),
        ("DVS_MAY_NOTIFY", call::NOTIFY.into()),
        ("DVS_MAY_SENDREC", call::SENDREC.into()),
        ("DVS_MAY_RCVRQST", call::RCVRQST.into()),
        ("DVS_MAY_REPLY", call::REPLY.into()),
        ("DVS_MAY_UNBIND", call::UNBIND.into()),
        ("DVS_MAY_VCOPY", call::VCOPY.into()),
        ("DVS_MAY_RELAY", call::RELAY.into()),
        ("DVS_MAY_GETEP", call::GETEP.into()),
        ("DVS_MAY_WAIT4BIND", call::WAIT4BIND.into()),
        ("DVS_MAY_WAKEUP", call::WAKEUP.into()),
        ("DVS_CALLS_SERVER", i64::try_from(CALLS_SERVER).unwrap()),
        ("DVS_CALLS_USER", i64::try_from(CALLS_USER).unwrap()),
        ("DVS_LEVEL_USER", LEVEL_USER.into()),
        ("DVS_LEVEL_SERVER", LEVEL_SERVER.into()),
        ("DVS_LEVEL_TASK", LEVEL_TASK.into()),
        ("DVS_RTS_SENDING", rts::SENDING.into()),
        ("DVS_RTS_RECEIVING", rts::RECEIVING.into()),
        ("DVS_RTS_ONCOPY", rts::ONCOPY.into()),
        ("DVS_RTS_MIGRATE", rts::MIGRATE.into()),
        ("DVS_RTS_WAITUNBIND", rts::WAITUNBIND.into()),
        ("DVS_RTS_WAITBIND", rts::WAITBIND.into()),
        ("DVS_MIS_NOTIFY", misc::NOTIFY.into()),
        ("DVS_MIS_GRPLEADER", misc::GRPLEADER.into()),
        ("DVS_MIS_RMTBACKUP", misc::RMTBACKUP.into()),
        ("DVS_MIS_REPLICATED", misc::REPLICATED.into()),
        ("DVS_MIS_WOKENUP", misc::WOKENUP.into()),
        ("DVS_ORDER_START", order::START.cast_signed()),
        ("DVS_ORDER_COMMIT", order::COMMIT.cast_signed()),
        ("DVS_ORDER_ROLLBACK", order::ROLLBACK.cast_signed()),
        ("DVS_ORDER_CANCEL", order::CANCEL.cast_signed()),
        ("DVS_HAND_REQUEST", hand::REQUEST.into()),
        ("DVS_HAND_NOTE", hand::NOTE.into()),
        ("DVS_HAND_WOKEN", hand::WOKEN.into()),
    ]
}

fn rust_constants() -> Constants {
    let number = |value: usize| i64::try_from(value).unwrap();
    let others = [
        ("DVS_VIRTIO_ID", i64::from(VIRTIO_ID)),
        ("DVS_VQ_MSG_TX", number(QUEUE_MSG_TX)),
        ("DVS_VQ_MSG_RX", number(QUEUE_MSG_RX)),
        ("DVS_VQ_BULK_TX", number(QUEUE_BULK_TX)),
        ("DVS_VQ_BULK_RX", number(QUEUE_BULK_RX)),
        ("DVS_VQ_CONTROL", number(QUEUE_CONTROL)),
        ("DVS_VQ_COUNT", number(QUEUE_COUNT)),
        ("DVS_FRAME_HEADER", number(FRAME_HEADER)),
        ("DVS_MSG_FRAME_MAX", number(MSG_FRAME_MAX)),
        ("DVS_MSG_PAYLOAD_MAX", number(Class::Message.payload_max())),
        ("DVS_BULK_FRAME_MAX", number(BULK_FRAME_MAX)),
        ("DVS_BULK_PAYLOAD_MAX", number(Class::Bulk.payload_max())),
        ("DVS_VM_NODE", i64::from(VM_NODE)),
        ("DVS_K_BULK_LAST", i64::from(kind::BULK_LAST)),
        ("DVS_F_NOWAIT", i64::from(FLAG_NOWAIT)),
        ("DVS_F_TAKEN", i64::from(FLAG_TAKEN)),
        ("DVS_CTL_BIND", i64::from(CTL_BIND)),
        ("DVS_CTL_UNBIND", i64::from(CTL_UNBIND)),
        ("DVS_CTL_LOOKUP", i64::from(CTL_LOOKUP)),
        ("DVS_CTL_AWAIT", i64::from(CTL_AWAIT)),
        ("DVS_CTL_FORGET", i64::from(CTL_FORGET)),
        ("DVS_CTL_PRIVILEGE", i64::from(CTL_PRIVILEGE)),
        ("DVS_CTL_OFFER", i64::from(CTL_OFFER)),
        ("DVS_CTL_TAKE", i64::from(CTL_TAKE)),
        ("DVS_CONFIG_ADMIN", i64::from(CONFIG_ADMIN)),
        ("DVS_CTL_ACCEPTED", ControlStatus::Accepted as i64),
        ("DVS_CTL_MALFORMED", ControlStatus::Malformed as i64),
        ("DVS_CTL_UNSUPPORTED", ControlStatus::Unsupported as i64),
        ("DVS_CTL_BUSY", ControlStatus::Busy as i64),
    ];
    let kinds = kinds();
    let kinds = kinds
        .iter()
        .map(|(name, kind)| (format!("DVS_K_{name}"), i64::from(*kind)));
    let others = others.into_iter().chain(bits());
    let others = others.map(|(name, it)| (name.to_owned(), it));
    kinds.chain(others).collect()
}

/// Constants that only drivers know.
const DRIVER_ONLY: [&str; 2] = ["DVS_CREDIT_INITIAL", "DVS_ACK_EVERY"];

fn results() -> Constants {
    let results = [
        ("DVS_OK", result::OK),
        ("DVS_ERANGE", result::ERANGE),
        ("DVS_ETIMEDOUT", result::ETIMEDOUT),
        ("DVS_ENOTCONN", result::ENOTCONN),
        ("DVS_EDSTDIED", result::EDSTDIED),
        ("DVS_ERMTPROC", result::ERMTPROC),
        ("DVS_EPROCSTS", result::EPROCSTS),
        ("DVS_EMIGRATE", result::EMIGRATE),
        ("DVS_ENOTBIND", result::ENOTBIND),
        ("DVS_EPRIVILEGES", result::EPRIVILEGES),
        ("DVS_ESLOTUSED", result::ESLOTUSED),
        ("DVS_EALLOCMEM", result::EALLOCMEM),
    ];
    let owned = results
        .iter()
        .map(|(name, it)| ((*name).to_owned(), i64::from(*it)));
    owned.collect()
}

#[test]
fn constants_are_those_of_the_driver() {
    let mut wire = defines(WIRE);
    wire.retain(|name, _| !DRIVER_ONLY.contains(&name.as_str()));
    assert_eq!(wire, rust_constants());
    let errors = defines(ERRORS);
    for (name, result) in results() {
        assert_eq!(errors.get(&name), Some(&result), "{name}");
    }
}

#[test]
fn constants_are_those_of_the_specification() {
    let mut all = defines(WIRE);
    all.extend(results());
    assert_eq!(spec_constants(), all);
}

#[test]
fn layouts_are_the_same_everywhere() {
    let frame = layout!(Frame {
        kind,
        flags,
        reserved,
        len,
        src_vm,
        src_inc,
        dst_vm,
        dst_inc,
        seq,
        ack,
        credit,
        bulk_ack,
        bulk_credit,
        src_ep,
        src_gen,
        dst_ep,
        dst_gen,
        result,
        op,
        arg,
    });
    check_layout("dvs_frame", &frame, FRAME_HEADER);
    let request = layout!(ControlRequest {
        op, flags, nonce, ep, generation as "gen", calls, ipc_to, level, reserved0, reserved,
    });
    check_layout("dvs_ctl_request", &request, size_of::<ControlRequest>());
    let response = layout!(ControlResponse {
        status,
        reserved,
        nonce
    });
    check_layout("dvs_ctl_response", &response, size_of::<ControlResponse>());
    let config = layout!(DeviceConfig {
        vm,
        incarnation,
        dcid,
        max_message,
        max_bulk,
        max_endpoints,
        max_peers,
        nr_tasks,
        nr_procs,
        nr_sysprocs,
        flags,
        nodeid,
        dc_name,
    });
    check_layout("dvs_device_config", &config, CONFIG_SIZE);
    let state = layout!(EndpointState {
        nr, generation as "gen", rts, misc, getfrom, sendto, pid, queued, lclsent, rmtsent,
        lclcopy, rmtcopy, name,
    });
    check_layout("dvs_endpoint_state", &state, size_of::<EndpointState>());
    let side = layout!(CopySide {
        address,
        bytes,
        grant,
        id,
        requester_vm,
        requester_inc,
        other_vm,
        other_inc,
        other_ep,
        other_gen,
        reserved,
    });
    check_layout("dvs_copy_side", &side, size_of::<CopySide>());
    let handed = layout!(Handed {
        what, vm, inc, nr, generation as "gen", reserved, op, value,
    });
    check_layout("dvs_handed", &handed, size_of::<Handed>());
}

#[test]
fn exactly_the_kinds_of_drivers_have_a_class() {
    let bounds = [
        "NODE_LAST",
        "UNNUMBERED_LAST",
        "REQUEST_FIRST",
        "REQUEST_LAST",
        "WATCH_LAST",
    ];
    let named = kinds()
        .into_iter()
        .filter(|(name, _)| !bounds.contains(name));
    let of_drivers: BTreeSet<u8> = named
        .map(|(_, kind)| kind)
        .filter(|kind| *kind > kind::NODE_LAST)
        .collect();
    let with_class = (0..=u8::MAX).filter(|kind| class_of(*kind).is_some());
    assert_eq!(with_class.collect::<BTreeSet<_>>(), of_drivers);
    for kind in of_drivers {
        let bulk = (kind::BULK_DATA..=kind::BULK_LAST).contains(&kind);
        assert_eq!(class_of(kind) == Some(Class::Bulk), bulk);
    }
}
