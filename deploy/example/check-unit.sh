#!/bin/sh
# Node Problem Detector's protocol: exit 0 is well, 1 a problem, anything else unknown; one line for people on stdout.
state=$(systemctl is-active "$1")
case $state in
    active) echo "$1 is active" ; exit 0 ;;
    inactive | failed | deactivating) echo "$1 is $state" ; exit 1 ;;
    *) echo "$1: ${state:-systemd does not answer}" ; exit 2 ;;
esac
