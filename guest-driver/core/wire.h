/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR BSD-3-Clause */
/*
 * What a guest and its node say to each other: frames on the message and bulk
 * queues, requests on the control queue, and the device's configuration space.
 * The text that binds is resources/virtio-dvs-spec.md; a test compares the
 * constants here, there and in the node. All fields are little-endian.
 */
#ifndef DVS_WIRE_H
#define DVS_WIRE_H

#include "types.h"

#define DVS_VIRTIO_ID		63

/* Virtqueues. */
#define DVS_VQ_MSG_TX		0
#define DVS_VQ_MSG_RX		1
#define DVS_VQ_BULK_TX		2
#define DVS_VQ_BULK_RX		3
#define DVS_VQ_CONTROL		4
#define DVS_VQ_COUNT		5

/* Sizes in bytes, header included. A receive buffer has exactly this size. */
#define DVS_FRAME_HEADER	80
#define DVS_MSG_FRAME_MAX	512
#define DVS_MSG_PAYLOAD_MAX	(DVS_MSG_FRAME_MAX - DVS_FRAME_HEADER)
#define DVS_BULK_PAYLOAD_MAX	65536
#define DVS_BULK_FRAME_MAX	(DVS_FRAME_HEADER + DVS_BULK_PAYLOAD_MAX)

/* The VM id under which the node itself speaks. */
#define DVS_VM_NODE		0

/*
 * Kinds of frame. 1..15 come from the node only; 16..31 are outside the
 * sequence of a channel; all others are numbered.
 */
#define DVS_K_RETRY		1	/* arg: VM to which sending works again, 0: all */
#define DVS_K_GONE		2	/* arg: VM | incarnation << 32: this life of a VM is over */
#define DVS_K_BOUND		3	/* op: nonce; dst_ep, dst_gen; result */
#define DVS_K_UNBOUND		4	/* op: nonce; dst_ep, dst_gen; result */
#define DVS_K_FOUND		5	/* op: nonce; dst_ep, dst_gen; arg: VM | incarnation << 32; result */
#define DVS_K_ASK		6	/* op: nonce; arg: tell the state of the endpoints from this place on */
#define DVS_K_PRIVILEGED	7	/* op: nonce; dst_ep, dst_gen; result */
#define DVS_K_RENEWED		8	/* arg: the new incarnation of this VM; dst_inc: the one that is over */
#define DVS_K_OFFERED		9	/* op: nonce; dst_ep, dst_gen; result */
#define DVS_K_ORDER		10	/* op: nonce, of a START the token; dst_ep; arg: DVS_ORDER_* | VM << 32 */
#define DVS_K_NODE_LAST		15

#define DVS_K_ACK		16	/* acknowledges and grants, nothing else */
#define DVS_K_REFUSED		17	/* no room for one more peer: what was sent is not executed */
#define DVS_K_TELL		18	/* to the node: op as asked; arg: where to go on, 0: that was all; payload: records */
#define DVS_K_ORDERED		19	/* to the node: op as ordered; result; arg: of a START the token */
#define DVS_K_UNNUMBERED_LAST	31

/* Requests: each uses one credit until its answer has left. src_ep is checked by the node. */
#define DVS_K_MSG		32	/* send: answered by TAKEN */
#define DVS_K_REQ		33	/* sendrec: answered by RPL */
#define DVS_K_NTF		34	/* notify: not answered, but by DIED where dst is not bound; arg: its value */
#define DVS_K_COPY_IN		35	/* vcopy: take what the source sends; answered by COPIED */
#define DVS_K_COPY_OUT		36	/* vcopy: send to the destination; answered by COPIED */
#define DVS_K_REQUEST_FIRST	32
#define DVS_K_REQUEST_LAST	39

/* Requests of the cores themselves, about endpoints; one credit each as well. */
#define DVS_K_WATCH		40	/* tell me when dst_ep dies: answered by DIED, or not */
#define DVS_K_FETCH		41	/* the destination of a copy is ready for its data; not answered */
#define DVS_K_ADOPT		42	/* arg: token; hand dst_ep over to this VM: answered by HAND */
#define DVS_K_WATCH_LAST	47

/* Follow-ups and answers: room for them is kept by the request they belong to. */
#define DVS_K_CANCEL		48	/* op: the sender of this request has left */
#define DVS_K_DIED		49	/* src_ep, src_gen: the endpoint is over; src_ep 31438 (ANY): some are */
#define DVS_K_NOP		50	/* keeps the place of a request that is not wanted any more; uses a credit as it did */
#define DVS_K_MOVED		51	/* src_ep, src_gen: the endpoint has another VM now: look again */
#define DVS_K_BOUNCED		52	/* NTF to src_ep, src_gen found it not here; dst_ep: its source, arg: its value */
#define DVS_K_ADOPTED		53	/* op: of the ADOPT; result: this VM has the endpoint, or has not */
#define DVS_K_ELSEWHERE		55	/* op: it was taken by dst, which has another VM now: ask there */
#define DVS_K_TAKEN		56	/* op */
#define DVS_K_RPL		57	/* op, payload */
#define DVS_K_CANCELLED		58	/* op */
#define DVS_K_FAILED		59	/* op, result */
#define DVS_K_NOTHERE		60	/* op: dst is not bound in this VM; nothing was executed */
#define DVS_K_REDIRECT		61	/* op: send it, with this payload, to src_ep, src_gen instead (relay) */
#define DVS_K_COPIED		62	/* op, result: this side of the copy is over */
#define DVS_K_HAND		63	/* op: of the ADOPT; payload: records; arg: 0: these were the last */

/* Bulk class: on the bulk queues, with numbers and credits of its own. */
#define DVS_K_BULK_DATA		64	/* src_vm's part of a copy: op: the copy, arg: offset, payload */
#define DVS_K_BULK_NOP		65	/* keeps the place of data that is not wanted any more */
#define DVS_K_BULK_LAST		79

/* What the node orders for an endpoint: docs/endpoint-migration.md. */
#define DVS_ORDER_START		1
#define DVS_ORDER_COMMIT	2	/* with the VM that may adopt it; 0: any */
#define DVS_ORDER_ROLLBACK	3
#define DVS_ORDER_CANCEL	4	/* the order with this nonce has taken too long */

/* Credits of a class that each side has before the first grant. */
#define DVS_CREDIT_INITIAL	8
/* A receiver acknowledges at the latest when so many frames are not acknowledged. */
#define DVS_ACK_EVERY		16

/* Flags of a frame. */
#define DVS_F_NOWAIT		0x01	/* MSG, REQ: fail with AGAIN if the receiver does not wait now */
#define DVS_F_TAKEN		0x02	/* REQ: dst took it in another VM, and only the answer is wanted */

struct dvs_frame {
	dvs_u8 kind;
	dvs_u8 flags;
	dvs_u16 reserved;	/* zero */
	dvs_u32 len;		/* payload bytes that follow the header */
	dvs_u32 src_vm;		/* filled by the sending core, checked by its node */
	dvs_u32 src_inc;
	dvs_u32 dst_vm;
	dvs_u32 dst_inc;
	dvs_u32 seq;		/* number in its class, from 1; 0: unnumbered */
	dvs_u32 ack;		/* message class: all numbers below this one have arrived */
	dvs_u32 credit;		/* message class: requests that may have been sent in all */
	dvs_u32 bulk_ack;	/* the same two of the bulk class */
	dvs_u32 bulk_credit;
	dvs_s32 src_ep;
	dvs_u32 src_gen;
	dvs_s32 dst_ep;
	dvs_u32 dst_gen;
	dvs_s32 result;
	dvs_u64 op;		/* id of the operation, chosen by the requester */
	dvs_u64 arg;
};

_Static_assert(sizeof(struct dvs_frame) == DVS_FRAME_HEADER, "frame header");

/* Control queue: one request, one response, both in one descriptor chain. */
#define DVS_CTL_BIND		1	/* ep; result comes as BOUND */
#define DVS_CTL_UNBIND		2	/* ep, gen (0: any of this VM); result comes as UNBOUND */
#define DVS_CTL_LOOKUP		3	/* ep; result comes as FOUND */
#define DVS_CTL_AWAIT		4	/* ep; result comes as FOUND, once it is bound */
#define DVS_CTL_FORGET		5	/* nothing waits for the result of the AWAIT with this nonce any more */
#define DVS_CTL_PRIVILEGE	6	/* ep, gen, calls, ipc_to, level; result comes as PRIVILEGED */
#define DVS_CTL_OFFER		7	/* ep, gen, calls: token, 0: none; result comes as OFFERED */
#define DVS_CTL_TAKE		8	/* ep, gen, calls: token; result comes as BOUND, with the privileges */

struct dvs_ctl_request {
	dvs_u32 op;
	dvs_u32 flags;		/* zero */
	dvs_u64 nonce;		/* comes back in the result; equal nonces are one request */
	dvs_s32 ep;
	dvs_u32 gen;
	dvs_u64 calls;		/* PRIVILEGE: a bit for each DVS_MAY_*; OFFER, TAKE: token; otherwise zero */
	dvs_u64 ipc_to;		/* PRIVILEGE: a bit for each number + nr_tasks from 0 to 63; otherwise zero */
	dvs_u32 level;		/* PRIVILEGE: DVS_LEVEL_*; otherwise zero */
	dvs_u32 reserved0;	/* zero */
	dvs_u64 reserved[2];	/* zero */
};

_Static_assert(sizeof(struct dvs_ctl_request) == 64, "control request");

#define DVS_CTL_ACCEPTED	0	/* the result comes as a frame */
#define DVS_CTL_MALFORMED	1
#define DVS_CTL_UNSUPPORTED	2
#define DVS_CTL_BUSY		3	/* not now: ask again after RETRY(all) */

struct dvs_ctl_response {
	dvs_u32 status;
	dvs_u32 reserved;
	dvs_u64 nonce;
};

_Static_assert(sizeof(struct dvs_ctl_response) == 16, "control response");

/*
 * Privileges of an endpoint: which calls it may make, and to whom. Calls have
 * the DVS's numbers. Of these the node checks SEND, NOTIFY, SENDREC and VCOPY,
 * and whom a request goes to.
 */
#define DVS_MAY_SEND		2
#define DVS_MAY_RECEIVE		3
#define DVS_MAY_NOTIFY		4
#define DVS_MAY_SENDREC		5
#define DVS_MAY_RCVRQST		6
#define DVS_MAY_REPLY		7
#define DVS_MAY_UNBIND		10
#define DVS_MAY_VCOPY		13
#define DVS_MAY_RELAY		16
#define DVS_MAY_GETEP		26
#define DVS_MAY_WAIT4BIND	29
#define DVS_MAY_WAKEUP		34
/* What a server may by default: all; and what a user may: SENDREC, UNBIND, GETEP, WAIT4BIND. */
#define DVS_CALLS_SERVER	0x7fffffffe
#define DVS_CALLS_USER		0x24000420
/* A user sends only to servers; from SERVER on an endpoint may send to users too. */
#define DVS_LEVEL_USER		0
#define DVS_LEVEL_SERVER	1
#define DVS_LEVEL_TASK		2

/* The state of an endpoint, as its VM's core tells it. */
struct dvs_endpoint_state {
	dvs_s32 nr;
	dvs_u32 gen;
	dvs_u32 rts;		/* DVS_RTS_*; 0: runs */
	dvs_u32 misc;		/* DVS_MIS_* */
	dvs_s32 getfrom;	/* RECEIVING: from whom, or 31438 (ANY); else 27342 (NONE) */
	dvs_s32 sendto;		/* SENDING: to whom; else 27342 (NONE) */
	dvs_s32 pid;		/* of the process, in its VM; -1: not known */
	dvs_u32 queued;		/* messages and notifications that wait for it */
	dvs_u32 lclsent;	/* messages sent within the VM, and to others */
	dvs_u32 rmtsent;
	dvs_u32 lclcopy;
	dvs_u32 rmtcopy;
	dvs_u8 name[16];	/* of the process, padded with zeros */
};

_Static_assert(sizeof(struct dvs_endpoint_state) == 64, "endpoint state");

#define DVS_RTS_SENDING		0x4
#define DVS_RTS_RECEIVING	0x8
#define DVS_RTS_ONCOPY		0x400
#define DVS_RTS_MIGRATE		0x800
#define DVS_RTS_WAITUNBIND	0x20000
#define DVS_RTS_WAITBIND	0x40000
#define DVS_MIS_NOTIFY		0x4
#define DVS_MIS_GRPLEADER	0x20
#define DVS_MIS_RMTBACKUP	0x10
#define DVS_MIS_REPLICATED	0x80
#define DVS_MIS_WOKENUP		0x200

/* Payload of COPY_IN, COPY_OUT and FETCH. */
struct dvs_copy_side {
	dvs_u64 address;	/* in the process of dst_ep; with a grant: offset in its region */
	dvs_u64 bytes;
	dvs_u64 grant;		/* 0: none */
	dvs_u64 id;		/* of the copy, chosen by the requester */
	dvs_u32 requester_vm;
	dvs_u32 requester_inc;
	dvs_u32 other_vm;	/* where the other side is */
	dvs_u32 other_inc;
	dvs_s32 other_ep;
	dvs_u32 other_gen;
	dvs_u64 reserved;	/* zero */
};

_Static_assert(sizeof(struct dvs_copy_side) == 64, "side of a copy");

/* What an endpoint takes along to another VM. Payload of HAND. */
struct dvs_handed {
	dvs_u32 what;		/* DVS_HAND_* */
	dvs_u32 vm;		/* REQUEST: of the client, and its incarnation */
	dvs_u32 inc;
	dvs_s32 nr;		/* the client; of a NOTE its source */
	dvs_u32 gen;
	dvs_u32 reserved;	/* zero */
	dvs_u64 op;		/* REQUEST: the client's id of it */
	dvs_u64 value;		/* REQUEST: the server's token of it; of a NOTE its value */
};

_Static_assert(sizeof(struct dvs_handed) == 40, "record of a hand-over");

#define DVS_HAND_REQUEST	1	/* taken, and not answered */
#define DVS_HAND_NOTE		2	/* a notification that waits */
#define DVS_HAND_WOKEN		3	/* a wakeup waits */

#define DVS_CONFIG_ADMIN	0x1	/* this VM may administer its DC */

/* Device configuration space: read-only for the driver. */
struct dvs_device_config {
	dvs_u32 vm;
	dvs_u32 incarnation;
	dvs_u32 dcid;
	dvs_u32 max_message;	/* payload bytes of a message */
	dvs_u32 max_bulk;	/* payload bytes of a bulk frame */
	dvs_u32 max_endpoints;	/* that this VM may have bound at once */
	dvs_u32 max_peers;	/* VMs that this VM may talk to at once */
	dvs_u32 nr_tasks;	/* endpoint numbers go from -nr_tasks … */
	dvs_u32 nr_procs;	/* … to nr_procs - 1 */
	dvs_u32 nr_sysprocs;	/* those with number + nr_tasks < nr_sysprocs are servers */
	dvs_u32 flags;		/* DVS_CONFIG_* */
	dvs_u32 nodeid;		/* number of the host's node, as programs of the DVS see it */
	dvs_u8 dc_name[16];	/* padded with zeros */
};

_Static_assert(sizeof(struct dvs_device_config) == 64, "device configuration");

#endif
