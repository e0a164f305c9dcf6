# The machine's disk keeps its images over a reboot: each archive is imported once.
set -eu
mkdir -p /var/lib/machine/images
for archive in /opt/machine/images/*.tar; do
    done=/var/lib/machine/images/$(basename "$archive")
    [ -e "$archive" ] && [ ! -e "$done" ] || continue
    /opt/machine/bin/ctr --namespace k8s.io images import "$archive"
    touch "$done"
done
