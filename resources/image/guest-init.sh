#!/bin/busybox sh
# First process of a guest. With dvs.agent=ttyS1 on the kernel's command line the
# agent of the test harness serves that line; otherwise there is a shell on the console.
/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /run /tmp
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug

while read -r module; do
	insmod "/lib/modules/$module"
done < /lib/modules/load

ip link set lo up

agent=
for word in $(cat /proc/cmdline); do
	case $word in
	dvs.agent=*) agent=${word#dvs.agent=} ;;
	esac
done

if [ -n "$agent" ]; then
	/bin/dvs-agent "/dev/$agent"
	poweroff -f
fi
echo "guest of the DVS: $(uname -r); poweroff -f ends it"
while :; do
	setsid cttyhack sh
done
