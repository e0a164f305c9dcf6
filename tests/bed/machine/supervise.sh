#!/bin/sh
# The mains of one machine: boots it, boots it again when it reboots, switches it off with the bed.
#
# A script in the machine's own folder, and no program of ours: it must outlive whoever switched the
# machine on (the hypervisor's hook lives for a second), and needs no path into anybody's build.
#
# It runs as process 1 of a process namespace, in a mount and a network namespace of its own. So
# nothing of a machine can stay behind: when this process ends, the kernel kills what runs in the
# machine, drops its mounts and its network card.
#
#   unshare --fork --kill-child --pid --mount-proc --mount --net \
#       supervise.sh DIR NSPAWN-OPTION...     with LOWER, OWNER, ADDRESS, GATEWAY in the environment
set -eu
dir=$1
shift

# Whoever switched us on plugs the cable in now, and then says so.
echo unplugged
read -r _
exec < /dev/null >> "$dir/console.log" 2>&1
ip link set lo up
ip address add "$ADDRESS" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"

disk=$dir/disk
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$disk/upper,workdir=$disk/work" "$disk/root"
# nspawn's own folder names things after the machine; beds may have machines of the same name
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn

# The bed's owner holds a lock for as long as it lives. When it is ours, it is dead: pull the plug.
(flock --shared "$OWNER" true && kill -KILL -1) &

# A cgroup of the machine's own in every hierarchy: the root that it sees is its own. In v2 each
# boot gets a new one below that: what the last boot made there may hold no processes directly.
enter() {
    while read -r group; do
        if [ -e "$group/cgroup.subtree_control" ]; then
            group=$group/boot
            [ ! -e "$group" ] || find "$group" -depth -type d -exec rmdir {} +
            mkdir "$group"
        fi
        echo 0 > "$group/cgroup.procs"
    done < "$dir/cgroups"
}

boot() {
    enter
    exec systemd-nspawn --quiet --register=no --keep-unit --boot --notify-ready=yes \
        --console=pipe --directory="$disk/root" "$@"
}

while :; do
    set +e
    (set -e; boot "$@")
    code=$?
    set -e
    echo "$(date +%T) nspawn ended with $code"
    # 133: the machine asked to be booted again
    [ "$code" = 133 ] || break
done
