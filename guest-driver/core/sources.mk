# The core's files, relative to this folder: for Kbuild (CORE_OBJS) and for other builds.
CORE_OBJS := core.o channel/channel.o channel/transmit.o \
	ipc/call.o ipc/destination.o ipc/endpoint.o ipc/held.o \
	ipc/operation.o ipc/queue.o
