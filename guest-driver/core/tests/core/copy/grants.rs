//! Copies from and to memory that was lent.

use super::trio::*;
use dvs_core::errors::*;
use dvs_core::{ANY, MAX_COPY, READ, WRITE};

#[test]
fn a_grant_opens_its_region_and_nothing_else() {
    for vms in PLACEMENTS {
        let mut trio = Trio::new(vms);
        trio.wait_no_more();
        let mut lend = |ep, to, rights| trio.lend(ep, to, rights, 100, 1000).unwrap();
        let read = lend(SOURCE, REQUESTER, READ);
        let write = lend(DESTINATION, ANY, WRITE);
        let other = lend(SOURCE, 77, READ);
        let copy = |trio: &mut Trio, src: u64, dst: u64, from: u64, bytes: usize| {
            let mut request = request(bytes);
            (request.src.grant, request.src.address) = (src, from);
            (request.dst.grant, request.dst.address) = (dst, 100);
            trio.copy(&request)
        };
        assert_eq!(copy(&mut trio, read, write, 0, 900), 0);
        assert!(trio.arrived(900));
        for (src, dst, from, bytes) in [
            (read, write, 0, 901),
            (read, write, 101, 900),
            (read, write, u64::MAX, 2),
            (other, write, 0, 1),
            (read ^ 1 << 40, write, 0, 1),
        ] {
            let result = copy(&mut trio, src, dst, from, bytes);
            assert!(
                [EPROCSTS, ERANGE].contains(&result),
                "{vms:?} {from} {bytes}: {result}"
            );
        }
        if vms[1] == vms[2] {
            assert_eq!(copy(&mut trio, write, write, 0, 1), EPROCSTS);
            assert_eq!(copy(&mut trio, read, read, 0, 1), EPROCSTS);
        }
        assert_eq!(trio.revoke(SOURCE, read), 0);
        assert_eq!(trio.revoke(SOURCE, read), EINVAL);
        assert_eq!(copy(&mut trio, read, write, 0, 10), EPROCSTS);
        trio.unbind(DESTINATION);
        assert_eq!(
            trio.net.core(vms[2]).stats().grants,
            u32::from(vms[1] == vms[2])
        );
        trio.finish();
    }
}

#[test]
fn a_revoked_grant_is_touched_no_more() {
    for vms in PLACEMENTS {
        for moment in 0.. {
            let mut trio = Trio::held(vms);
            let grant = trio.lend(DESTINATION, ANY, WRITE, 200, MAX_COPY).unwrap();
            let mut request = request(SEVERAL);
            (request.dst.grant, request.dst.address) = (grant, 0);
            let id = trio.begin(&request);
            let mut revoked = false;
            let mut seen = None;
            trio.steps(|trio, n| {
                if n >= moment && !revoked {
                    revoked = trio.revoke(DESTINATION, grant) != 1;
                    seen = revoked.then(|| trio.memory(DESTINATION).clone());
                }
                false
            });
            if let Some(seen) = seen {
                assert!(*trio.memory(DESTINATION) == seen, "{vms:?} {moment}");
            }
            let result = trio.result(id);
            assert!([0, EPROCSTS].contains(&result), "{vms:?} {result}");
            assert!(result != 0 || trio.arrived(SEVERAL), "{vms:?} {moment}");
            trio.finish();
            if !revoked {
                break;
            }
        }
    }
}
