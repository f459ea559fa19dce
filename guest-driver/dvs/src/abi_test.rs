//! The header is read here, so that a change of it that was not made in `abi.rs` fails.

use std::mem::offset_of;

use super::*;
use crate::sys::{self, Call, Exchange};

const UAPI: &str = include_str!("../../linux/include/uapi/linux/dvs.h");
const WIRE: &str = include_str!("../../core/wire.h");

/// The number that a header defines as `name`.
fn defined(header: &str, name: &str) -> i64 {
    let line = header
        .lines()
        .find(|line| line.split_whitespace().take(2).eq(["#define", name]))
        .unwrap_or_else(|| panic!("{name} is not defined"));
    let value = line.split_whitespace().nth(2).unwrap();
    let value = value.trim_matches(['(', ')']);
    match value.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
        None => value.parse().unwrap(),
    }
}

macro_rules! assert_defined {
    ($($name:ident),* $(,)?) => {
        $(assert_eq!(
            defined(UAPI, concat!("DVS_", stringify!($name))),
            i64::from($name),
            stringify!($name)
        );)*
    };
}

#[test]
fn constants_are_those_of_the_headers() {
    assert_defined!(
        ABI_VERSION,
        ID_FILE,
        ID_TASK,
        ID_NUMBER,
        INFO_ADMIN,
        BIND_FILE,
        BIND_PID,
        BIND_BACKUP,
        BIND_REPLICA,
        ADDR_ANY,
        ADDR_NONE,
        TIMEOUT_FOREVER,
        TIMEOUT_NOWAIT,
        IO_REQUESTS,
        IO_VALUE,
        IO_SOURCE,
        CAME_REQUEST,
        CAME_NOTIFY,
        AWAIT_BIND,
        AWAIT_UNBIND,
        AWAIT_OWN,
        PRIVILEGE_SET,
        STATE_SENDING,
        STATE_RECEIVING,
        STATE_ONCOPY,
        STATE_MIGRATE,
        STATE_WAITUNBIND,
        STATE_WAITBIND,
        MISC_NOTIFY,
        MISC_BACKUP,
        MISC_GRPLEADER,
        MISC_REPLICATED,
        MISC_WOKENUP,
        GRANT_READ,
        GRANT_WRITE,
        MIGRATE_START,
        MIGRATE_COMMIT,
        MIGRATE_ROLLBACK,
        MIGRATE_ADOPT,
    );
    let magic = i64::try_from(sys::MAGIC).unwrap();
    assert_eq!(defined(UAPI, "DVS_IOC_MAGIC"), magic);
    let payload = defined(WIRE, "DVS_MSG_FRAME_MAX") - defined(WIRE, "DVS_FRAME_HEADER");
    assert_eq!(payload, i64::try_from(MESSAGE_MAX).unwrap());
}

/// The header's line of an ioctl.
fn ioctl(name: &str) -> &'static str {
    UAPI.lines()
        .find(|l| l.split_whitespace().nth(1) == Some(&format!("DVS_IOC_{name}")))
        .unwrap()
}

#[test]
fn ioctls_have_the_numbers_of_the_header() {
    for (name, number, structure) in [
        ("SEND", Call::Send as u64, "io"),
        ("RECEIVE", Call::Receive as u64, "io"),
        ("SENDREC", Call::Sendrec as u64, "io"),
        ("REPLY", Call::Reply as u64, "io"),
        ("NOTIFY", Call::Notify as u64, "io"),
        ("REPLY_RECEIVE", Call::ReplyReceive as u64, "io"),
        ("RELAY", Call::Relay as u64, "io"),
        ("BIND", Bind::NUMBER, "bind"),
        ("UNBIND", Unbind::NUMBER, "unbind"),
        ("WAKEUP", Wakeup::NUMBER, "wakeup"),
        ("AWAIT", Await::NUMBER, "await"),
        ("GETEP", Getep::NUMBER, "getep"),
        ("PRIVILEGE", Privilege::NUMBER, "privilege"),
        ("STATE", State::NUMBER, "state"),
        ("COPY", sys::NUMBER_COPY, "copy"),
        ("GRANT", sys::NUMBER_GRANT, "grant"),
        ("MIGRATE", Migrate::NUMBER, "migrate"),
    ] {
        let line = format!("_IOWR(DVS_IOC_MAGIC, {number}, struct dvs_{structure})");
        assert!(ioctl(name).ends_with(&line), "{}", ioctl(name));
    }
    let line = format!("_IOR(DVS_IOC_MAGIC, {}, struct dvs_info)", sys::NUMBER_INFO);
    assert!(ioctl("INFO").ends_with(&line));
    let ioctls = UAPI.lines().filter(|l| l.contains("(DVS_IOC_MAGIC, "));
    assert_eq!(ioctls.count(), 18, "an ioctl that this crate does not know");
}

/// Offsets of the fields of a structure of the header, and its size. Fields have no implicit
/// padding, as the header promises.
fn layout(name: &str) -> (Vec<(String, usize)>, usize) {
    let start = format!("struct dvs_{name} {{");
    let body = UAPI.split_once(&start).unwrap().1;
    let body = body.split_once("\n};").unwrap().0;
    let mut at = 0;
    let mut fields = Vec::new();
    for line in body.lines() {
        let Some((declaration, _)) = line.split_once(';') else {
            continue;
        };
        let mut words = declaration.split_whitespace();
        let size = match words.next().unwrap() {
            "__u8" => 1,
            "__u32" | "__s32" => 4,
            "__u64" | "__s64" => 8,
            other => panic!("type {other}"),
        };
        let field = words.next().unwrap();
        let (field, count) = match field.split_once('[') {
            Some((field, count)) => (field, count.trim_end_matches(']').parse().unwrap()),
            None => (field, 1),
        };
        assert_eq!(at % size, 0, "{name}.{field} is not aligned");
        fields.push((field.to_owned(), at));
        at += size * count;
    }
    (fields, at)
}

macro_rules! assert_layout {
    ($name:literal, $structure:ident { $($field:ident),* $(,)? }) => {
        let ours = vec![$((stringify!($field).to_owned(), offset_of!($structure, $field))),*];
        assert_eq!((ours, size_of::<$structure>()), layout($name), $name);
    };
}

#[test]
fn structures_have_the_layout_of_the_header() {
    assert_layout!(
        "info",
        Info {
            abi_version,
            features,
            vm,
            incarnation,
            dcid,
            max_message,
            max_endpoints,
            nr_tasks,
            nr_procs,
            nr_sysprocs,
            nodeid,
            reserved,
            dc_name,
        }
    );
    assert_layout!(
        "bind",
        Bind {
            ep,
            owner,
            generation,
            result,
            pid,
            flags,
            reserved
        }
    );
    assert_layout!(
        "unbind",
        Unbind {
            id,
            result,
            ep,
            reserved0,
            timeout_ms
        }
    );
    assert_layout!(
        "io",
        Io {
            id,
            flags,
            ep,
            generation,
            send_buf,
            recv_buf,
            send_len,
            recv_len,
            timeout_ms,
            token,
            from,
            from_generation,
            came,
            result,
            reserved,
        }
    );
    assert_layout!(
        "wakeup",
        Wakeup {
            ep,
            result,
            id,
            reserved
        }
    );
    assert_layout!(
        "await",
        Await {
            what,
            ep,
            timeout_ms,
            generation,
            result,
            reserved
        }
    );
    assert_layout!(
        "getep",
        Getep {
            pid,
            ep,
            generation,
            result
        }
    );
    assert_layout!(
        "privilege",
        Privilege {
            ep,
            flags,
            calls,
            ipc_to,
            level,
            result,
            reserved,
        }
    );
    assert_layout!(
        "state",
        State {
            ep,
            result,
            generation,
            vm,
            rts,
            misc,
            getfrom,
            sendto,
            pid,
            queued,
            lclsent,
            rmtsent,
            lclcopy,
            rmtcopy,
            name,
            reserved,
        }
    );
    assert_layout!(
        "copy",
        Copy {
            id,
            flags,
            src,
            src_generation,
            dst,
            dst_generation,
            src_addr,
            dst_addr,
            src_grant,
            dst_grant,
            bytes,
            timeout_ms,
            copied,
            result,
            reserved,
        }
    );
    assert_layout!(
        "grant",
        Grant {
            id,
            rights,
            ep,
            generation,
            address,
            bytes,
            grant,
            result,
            reserved,
        }
    );
    assert_layout!(
        "migrate",
        Migrate {
            what,
            ep,
            timeout_ms,
            token,
            vm,
            owner,
            generation,
            result,
            reserved,
        }
    );
}
