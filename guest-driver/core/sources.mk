# The core's files, relative to this folder: for Kbuild (CORE_OBJS) and for other builds.
CORE_OBJS := core.o pools.o channel/bulk.o channel/channel.o channel/transmit.o channel/window.o \
	ipc/adopt.o ipc/await.o ipc/call.o ipc/carry.o ipc/check.o ipc/claim.o ipc/control.o ipc/copy.o \
	ipc/cycle.o ipc/depart.o ipc/destination.o ipc/ending.o ipc/endpoint.o ipc/follow.o ipc/grant.o \
	ipc/hand.o ipc/held.o ipc/migrate.o ipc/note.o ipc/operation.o ipc/order.o ipc/party.o ipc/privilege.o \
	ipc/queue.o ipc/quiesce.o ipc/relay.o ipc/renew.o ipc/serve.o ipc/state.o ipc/wakeup.o
