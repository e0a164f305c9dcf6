package main

import (
	"encoding/json"
	"fmt"
	"os"
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
		Episode: policy.Episode{Age: 90, Problem: policy.Condition{Kind: "ReadonlyFilesystem", Status: policy.Yes}},
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
		"reason": "FilesystemIsReadOnly", "message": "", "since": "2027-01-15T07:58:30Z", "events.Ext4Error": "3 within 600 s, the last 12 s ago",
	}
	if fmt.Sprint(notes) != fmt.Sprint(want) {
		t.Errorf("%v, not %v", notes, want)
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
	for _, line := range regexp.MustCompile(`(?m)^  (\w+): (\w+)`).FindAllStringSubmatch(string(text), -1) {
		said = append(said, fmt.Sprintf("%q: %s", line[1], line[2]))
	}
	var shipped settings
	if err := json.Unmarshal([]byte("{"+strings.Join(said, ",")+"}"), &shipped); err != nil || len(said) != 3 || shipped != defaults {
		t.Errorf("%v: %+v, %v", said, shipped, err)
	}
}

func TestSettingsThatMakeNoSenseAreRefusedWithWhatIsRight(t *testing.T) {
	for wrong, right := range map[string]string{
		`{"sharedPercnt": 20}`:     `"sharedPercnt" is not known; known: replace, sharedPercent, patienceSeconds`,
		`{"sharedPercent": 0}`:     `sharedPercent is 0, not an integer from 1 to 100`,
		`{"sharedPercent": "20"}`:  `sharedPercent is "20", not an integer`,
		`{"sharedPercent": null}`:  `sharedPercent is null, not an integer`,
		`{"patienceSeconds": -1}`:  `patienceSeconds is -1, not an integer from 0 to 604800`,
		`{"patienceSeconds": 1e6}`: `patienceSeconds is 1e6, not an integer`,
		`{"replace": "no"}`:        `replace is "no", not true or false`,
		`[]`:                       `[] is no object`,
	} {
		if err := json.Unmarshal([]byte(wrong), new(settings)); err == nil || !strings.Contains(err.Error(), right) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
