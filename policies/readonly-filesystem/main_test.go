package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"rectifier.dev/policy"
)

// sick is a node of a pool of ten, in the control plane; as many have the same problem.
func sick(same uint32) *policy.Observation {
	return &policy.Observation{
		Now:  policy.Moment{UnixSeconds: 1800000000},
		Node: policy.Node{Zone: "a"},
		Site: policy.Site{ControlPlane: &policy.ClusterView{
			Pool:        policy.Group{Nodes: 10, Sick: same},
			Zone:        policy.Group{Nodes: 10, Sick: 1},
			SameProblem: policy.Group{Nodes: same, Sick: same},
			Replace:     policy.Open(),
			Freshness:   policy.Fresh,
		}},
		Episode: policy.Episode{Age: 90, Problem: policy.Condition{
			Kind: "ReadonlyFilesystem", Status: policy.Yes, Message: "EXT4-fs (vda1): Remounting filesystem read-only",
		}},
	}
}

func decided(t *testing.T, seen *policy.Observation, said settings) policy.Decision {
	t.Helper()
	decision, err := decide(seen, said)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

func TestAShareIsReachedByTwoNodesAtLeast(t *testing.T) {
	for _, told := range []struct {
		same, percent uint32
		want          policy.Remedy
	}{
		{1, 1, policy.Replace}, {2, 20, policy.Escalate}, {2, 21, policy.Replace}, {9, 100, policy.Replace}, {10, 100, policy.Escalate},
	} {
		said := defaults
		said.SharedPercent = told.percent
		if got := decided(t, sick(told.same), said); !got.Remedy.Equal(told.want) {
			t.Errorf("%d of 10 at %d %%: %s", told.same, told.percent, got.Reason)
		}
	}
}

func TestWhatIsNotedIsWhatWasSeen(t *testing.T) {
	seen := sick(1)
	seen.Episode.Problem.Reason = "FilesystemIsReadOnly"
	seen.Events = []policy.EventCount{{Reason: "Ext4Error", Count: 3, Window: 600, LastSeen: 12}, {Reason: "OOMKilling", Count: 1}}
	notes := decided(t, seen, defaults).Notes
	want := map[string]string{
		"reason": "FilesystemIsReadOnly", "message": "EXT4-fs (vda1): Remounting filesystem read-only", "device": "vda1",
		"since": "2027-01-15T07:58:30Z", "events.Ext4Error": "3 within 600 s, the last 12 s ago",
	}
	if fmt.Sprint(notes) != fmt.Sprint(want) {
		t.Errorf("%v, not %v", notes, want)
	}
}

func TestTheDeviceIsReadWhereTheKernelNamesIt(t *testing.T) {
	for message, want := range map[string]string{
		"EXT4-fs (sdb): Remounting filesystem read-only":              "sdb",
		"EXT4-fs error (device dm-0): ext4_find_entry:1455: inode #2": "dm-0",
		"BTRFS info (device vdb: state E): forced readonly":           "vdb",
		"Buffer I/O error on dev vda1, logical block 7":               "vda1",
		"Aborting journal on device sda3-8.":                          "sda3-8",
		"/dev/nvme0n1p2 is read-only":                                 "nvme0n1p2",
		"read-only: /dev/mapper/vg0-data.":                            "mapper/vg0-data",
		"EXT4-fs (vda1): on vda2":                                     "vda1",
		"EXT4-fs (vda1): read-only\nEXT4-fs (vdb): read-only":         "vdb",
		"Remounting filesystem read-only":                             "",
		"a file system on the node is read-only (2 of 3), said vdb":   "",
		"sda: on an old device (see the log)":                         "",
		"on":                                                          "",
	} {
		if got := named(message, defaults.Devices); got != want {
			t.Errorf("%q: %q, not %q", message, got, want)
		}
	}
	if got := named("XFS (root): Filesystem has been shut down", []string{"root"}); got != "root" {
		t.Errorf("%q, though it is listed", got)
	}
}

func TestAPartitionCountsAsItsDiskAndNothingElseDoes(t *testing.T) {
	for device, want := range map[string]bool{
		"vda": true, "vda1": true, "sda3": true, "xvda14": true, "nvme0n1": true, "nvme0n1p2": true,
		"vdb": false, "sdb1": false, "vdaa": false, "vdaa1": false, "vdap1": false, "nvme0n12": false, "nvme0n2p1": false, "nvme1n1": false,
		"dm-0": false, "sda3-8": false, "mapper/vda1": false, "VDA1": false, "": false,
	} {
		if got := isOwn(device, defaults.Devices); got != want {
			t.Errorf("%s: %t", device, got)
		}
	}
}

func TestAnEndlessNameIsCut(t *testing.T) {
	seen := sick(1)
	seen.Episode.Problem.Message = "EXT4-fs (sd" + strings.Repeat("b", 5000) + ")"
	if got := decided(t, seen, defaults); len(got.Reason) > 1024 || len(got.Notes["device"]) > longest+len("…") {
		t.Errorf("%q", got.Reason)
	}
}

func TestALongMessageIsCutBetweenCharacters(t *testing.T) {
	whole := strings.Repeat("m", longest)
	if cut(whole) != whole {
		t.Error("one that fits is cut")
	}
	got := cut("m" + strings.Repeat("ä", longest))
	if !utf8.ValidString(got) || len(got) > longest+len("…") || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%q", got)
	}
}

func TestTheShippedSidecarSaysWhatHoldsWithoutOne(t *testing.T) {
	text, err := os.ReadFile("readonly-filesystem.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, line := range regexp.MustCompile(`(?m)^  (\w+): (\w+|\[.*?\])`).FindAllStringSubmatch(string(text), -1) {
		value := line[2]
		if strings.HasPrefix(value, "[") {
			value = regexp.MustCompile(`\w+`).ReplaceAllString(value, `"$0"`)
		}
		said = append(said, fmt.Sprintf("%q: %s", line[1], value))
	}
	var shipped settings
	if err := json.Unmarshal([]byte("{"+strings.Join(said, ",")+"}"), &shipped); err != nil || len(said) != 4 || !reflect.DeepEqual(shipped, defaults) {
		t.Errorf("%v: %+v, %v", said, shipped, err)
	}
}

func TestSettingsThatMakeNoSenseAreRefusedWithWhatIsRight(t *testing.T) {
	for wrong, right := range map[string]string{
		`{"sharedPercnt": 20}`:         `"sharedPercnt" is not known; known: replace, devices, sharedPercent, patienceSeconds`,
		`{"sharedPercent": 0}`:         `sharedPercent is 0, not an integer from 1 to 100`,
		`{"sharedPercent": "20"}`:      `sharedPercent is "20", not an integer`,
		`{"sharedPercent": null}`:      `sharedPercent is null, not an integer`,
		`{"patienceSeconds": -1}`:      `patienceSeconds is -1, not an integer from 0 to 604800`,
		`{"patienceSeconds": 1e6}`:     `patienceSeconds is 1e6, not an integer`,
		`{"replace": "no"}`:            `replace is "no", not true or false`,
		`{"devices": []}`:              `devices is [], not a list of one or more names of a to z and 0 to 9, such as vda`,
		`{"devices": null}`:            `devices is null, not a list`,
		`{"devices": "vda"}`:           `devices is "vda", not a list`,
		`{"devices": [null]}`:          `devices is [null], not a list`,
		`{"devices": ["/dev/sda"]}`:    `devices is ["/dev/sda"], not a list`,
		`{"devices": ["vda", "dm-0"]}`: `devices is ["vda", "dm-0"], not a list`,
		`[]`:                           `[] is no object`,
	} {
		if err := json.Unmarshal([]byte(wrong), new(settings)); err == nil || !strings.Contains(err.Error(), right) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
