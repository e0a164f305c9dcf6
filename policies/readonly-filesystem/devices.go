package main

import (
	"cmp"
	"slices"
	"strings"
)

const digits = "0123456789"

// places are where the kernel names a device: "(vda1)", "(device vda1)", "on vda1", "dev vda1", "/dev/vda1".
var places = strings.NewReplacer("(", " dev ", "/dev/", " dev ")

// named is the device that decides: the first that is none of the node's own, else the first; "" if the message names none.
func named(message string, own []string) string {
	first, isNext := "", false
	for _, word := range strings.Fields(places.Replace(message)) {
		if word == "on" || word == "dev" || word == "device" {
			isNext = true
			continue
		}
		device := strings.TrimRight(word, `).,:;'"`)
		switch {
		case isNext && isOwn(device, own):
			first = cmp.Or(first, device)
		case isNext && isDisk(device):
			return device
		}
		isNext = false
	}
	return first
}

// isDisk by its name: sdb, vdb1, or one with a number, as dm-0. "on the node" names none.
func isDisk(name string) bool {
	isCounted := strings.IndexAny(name, digits) > 0
	return isCounted || slices.ContainsFunc([]string{"sd", "vd", "xvd", "hd"}, func(kind string) bool { return strings.HasPrefix(name, kind) })
}

// isOwn also if it is a partition: vda1 is of vda, nvme0n1p2 of nvme0n1, while nvme0n12 is another disk.
func isOwn(device string, own []string) bool {
	return slices.ContainsFunc(own, func(disk string) bool {
		part, is := strings.CutPrefix(device, disk)
		if part != "" && strings.TrimRight(disk, digits) != disk {
			part, is = strings.CutPrefix(device, disk+"p")
		}
		return is && strings.Trim(part, digits) == ""
	})
}
