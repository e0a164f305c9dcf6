# What a computer gives and a container does not.
set -eu
# nspawn mounts the machine's own cgroups (v1) read-only
for group in /sys/fs/cgroup/*; do
    ! mountpoint -q "$group" || mount -o remount,bind,rw "$group"
done
# after a pulled plug the pods' cgroups are still there, empty, and the kubelet would spend 3 s on each
find /sys/fs/cgroup/kubepods /sys/fs/cgroup/*/kubepods -depth -type d -exec rmdir {} + 2> /dev/null || true
# the kubelet wants these values and would set them for the whole computer: let it read them
mkdir -p /run/machine
while read -r name value; do
    [ "$(cat "/proc/sys/$name")" != "$value" ] || continue
    echo "$value" > "/run/machine/$(basename "$name")"
    mount --bind "/run/machine/$(basename "$name")" "/proc/sys/$name"
done << END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END
# pods see the boot id of the computer around the machine, and cannot mount the machine's own, whose file nspawn has deleted
cat /proc/sys/kernel/random/boot_id > /run/machine/boot_id
