#!/bin/busybox sh
# First process of the emulated machine: a host with KVM. It runs /job, whose
# standard output is the port "events"; an archive of /run/logs goes to the port "logs".
/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /run/logs /tmp /etc /var/run
/bin/busybox --install -s /bin
export PATH=/opt/dvs/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm /dev/virtio-ports
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mkdir -p /run/logs
# Guest memory is shared memory: without huge pages every 4 KiB costs a fault at first touch.
echo always > /sys/kernel/mm/transparent_hugepage/shmem_enabled

while read -r module; do
	insmod "/lib/modules/$module"
done < /lib/modules/load

# The ports appear some time after their driver.
until [ -e /interactive ] || [ -e /sys/class/virtio-ports/vport0p2/name ]; do
	usleep 10000
done
for port in $(ls /sys/class/virtio-ports); do
	ln -s "/dev/$port" "/dev/virtio-ports/$(cat "/sys/class/virtio-ports/$port/name")"
done
ip link set lo up
# No guest runs on processor 0. There QEMU loses state of SVM: whenever another processor loads its
# FPU (XRSTOR), it clears a flag of the first one (cpu_clear_ignne) without a lock, and brings back
# the value that its neighbours in that word (GIF, nested paging) had before an entry or exit.
# A cpuset, since the kernel's own threads that work for the job (vhost) keep to it too.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +cpuset > /sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/job
echo "1-$(($(nproc) - 1))" > /sys/fs/cgroup/job/cpuset.cpus
echo $$ > /sys/fs/cgroup/job/cgroup.procs
ulimit -n 65536

if [ -e /interactive ]; then
	setsid cttyhack /job
	poweroff -f
fi
# A port can be opened only once, so everybody inherits it.
exec 3> /dev/virtio-ports/events
# An empty line now and then says that the machine is alive, however long the job says nothing.
while sleep 15; do echo; done >&3 2> /dev/null &
/job >&3 2> /dev/console < /dev/null
code=$?
echo "{\"event\":\"exit\",\"code\":$code}" >&3
tar -c -C /run/logs . > /dev/virtio-ports/logs
poweroff -f
