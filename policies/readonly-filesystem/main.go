// A file system that the kernel turned read-only stays so: writing to a sick disk is how data are lost. So nothing is ever
// restarted or booted for it.
//
//	on the node             escalate, with what was seen
//	in the control plane    replace ──► a human
//
// A disk that is not the node's own is a pod's volume: it would go along with its pod, and make the next node sick. Then a human is
// asked, and also if nobody says which disk it is.
//
// A disk that many nodes have in common is no node's own fault. A new node would have it, too: then a human is asked.
package main

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"rectifier.dev/policy"
)

const (
	// replacements of one node before a human is asked; after three failed ones within a day the engine asks one, too.
	replacements = 3
	// soon is when a gate that is closed is looked at again; every change of what is observed asks the policy anyway.
	soon = 30
	// longest message that is noted, in bytes: two lines of the kernel's log.
	longest = 200
)

// telling are Node Problem Detector's events that say more about a disk.
var telling = []string{"FilesystemIsReadOnly", "Ext4Error", "Ext4Warning", "IOError", "XfsHasShutdown"}

var readonly = policy.Policy[settings]{Defaults: defaults, Decide: decide}

func main() {
	readonly.Main()
}

func decide(seen *policy.Observation, said settings) (policy.Decision, error) {
	if wait := seen.NotNow(); wait != nil {
		return *wait, nil
	}
	decision := policy.Escalate.Because("a file system is read-only: no restart and no boot makes its disk well")
	if seen.Site.ControlPlane != nil {
		decision = inControlPlane(seen, said)
	}
	return evident(decision, seen, said), nil
}

func inControlPlane(seen *policy.Observation, said settings) policy.Decision {
	if !said.Replace {
		return policy.Escalate.Because("a file system is read-only, and the settings leave the rest to a human")
	}
	if of := shared(seen, said.SharedPercent); of != "" {
		return policy.Escalate.Because("%s have read-only file systems: a new node would share that storage", of)
	}
	switch device := named(seen.Episode.Problem.Message, said.Devices); {
	case device == "":
		return policy.Escalate.Because("the message names no disk: that it is this node's own is not known")
	case !isOwn(device, said.Devices):
		return policy.Escalate.Because("%s is not one of this node's own disks: its volume would go along with its pod", cut(device))
	}
	if tried := seen.Episode.Tried(policy.Replace); tried >= replacements {
		return policy.Escalate.Because("a replacement was tried %d of %d times", tried, replacements)
	}
	rail := heldBackBy(seen)
	switch {
	case rail == "":
		return policy.Replace.Because("a file system is read-only: what its disk has lost no boot brings back")
	case seen.Episode.Age >= said.PatienceSeconds:
		return policy.Escalate.Because("a replacement has been held back for too long: %s", rail)
	default:
		return policy.Wait(soon).Because("a replacement must wait: %s", rail)
	}
}

// shared says how many of how many nodes have the problem in common, if they do; "" if it is the node's own.
func shared(seen *policy.Observation, percent uint32) string {
	view := seen.Site.ControlPlane
	same := view.SameProblem.Nodes
	if many(same, view.Pool.Nodes, percent) {
		return fmt.Sprintf("%d of %d nodes of the pool", same, view.Pool.Nodes)
	}
	// The zone's sick may be so for another reason: no more than these can have the same. In doubt a human looks.
	same = min(same, view.Zone.Sick)
	if seen.Node.Zone != "" && many(same, view.Zone.Nodes, percent) {
		return fmt.Sprintf("up to %d of %d nodes of zone %s", same, view.Zone.Nodes, seen.Node.Zone)
	}
	return ""
}

// many: the share, and two at least. One node of a small pool is a large share, and says nothing about the others.
func many(sick, nodes, percent uint32) bool {
	return sick >= 2 && uint64(sick)*100 >= uint64(nodes)*uint64(percent)
}

// heldBackBy is the guard rail that says no; "" if none does. One that refused a moment ago would only refuse again.
func heldBackBy(seen *policy.Observation) string {
	gate := seen.Site.ControlPlane.Replace
	if !gate.IsOpen() {
		return gate.ClosedBy()
	}
	asked := seen.Episode.AttemptsAt(policy.Replace)
	if len(asked) > 0 && asked[0].Outcome == policy.Refused && asked[0].Age < soon {
		return "refused a moment ago: " + asked[0].Detail
	}
	return ""
}

// evident is the decision with what was seen, for whoever looks at the disk later: the node may be gone by then.
func evident(decision policy.Decision, seen *policy.Observation, said settings) policy.Decision {
	problem := seen.Episode.Problem
	since := time.Unix(int64(seen.Now.UnixSeconds)-int64(seen.Episode.Age), 0).UTC()
	decision = decision.Noted("reason", problem.Reason).
		Noted("message", cut(problem.Message)).
		Noted("since", since.Format(time.RFC3339))
	if device := named(problem.Message, said.Devices); device != "" {
		decision = decision.Noted("device", cut(device))
	}
	for _, event := range seen.Events {
		if slices.Contains(telling, event.Reason) {
			count := fmt.Sprintf("%d within %d s, the last %d s ago", event.Count, event.Window, event.LastSeen)
			decision = decision.Noted("events."+event.Reason, count)
		}
	}
	if seen.Node.Pods > 0 { // 0 may mean that nobody counts them here
		decision = decision.Noted("pods", fmt.Sprint(seen.Node.Pods))
	}
	return decision
}

// cut is the beginning of a message, with no character torn apart.
func cut(message string) string {
	if len(message) <= longest {
		return message
	}
	end := longest
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + "…"
}
