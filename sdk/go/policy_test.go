package policy

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type limits struct {
	Attempts int `json:"attempts"`
}

var restart = Policy[limits]{
	Defaults: limits{Attempts: 1},
	Check: func(settings limits) error {
		if settings.Attempts < 1 {
			return errors.New("settings.attempts is too small")
		}
		return nil
	},
	Decide: func(seen *Observation, settings limits) (Decision, error) {
		switch seen.Problem() {
		case "Panics":
			panic("as it was told to")
		case "Nothing":
			return Decision{}, nil
		}
		again := Restart("containerd.service")
		if seen.Episode.Tried(again) < settings.Attempts {
			return again.Because("%s is there", seen.Problem()).Settled(30).Noted("a", "b"), nil
		}
		return Escalate.Because("tried"), nil
	},
}

func asked(t *testing.T, verb, document string) string {
	t.Helper()
	var out strings.Builder
	if err := restart.Answer([]string{"policy", verb}, strings.NewReader(document), &out); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func TestAQuestionIsAnsweredAsTheContractHasIt(t *testing.T) {
	seen := `{"observation": {"episode": {"problem": {"kind": "K"}}, "tomorrow": 1}, "settings": {}}`
	want := `{"apiVersion":"rectifier.dev/policy/v0.1","remedy":{"unit":{"name":"containerd.service","verb":"restart"}},` +
		`"reason":"K is there","settle":30,"notes":{"a":"b"}}`
	if got := asked(t, "decide", seen); got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func TestWhatGoesWrongIsAnAnswerThatSaysSo(t *testing.T) {
	for document, want := range map[string]string{
		`{"observation": {}, "settings": {"atempts": 1}}`:                            `unknown field \"atempts\": there are attempts`,
		`{"observation": {}, "settings": {"Attempts": 1}}`:                           `unknown field \"Attempts\"`,
		`{"observation": {}, "settings": {"attempts": 0}}`:                           `settings.attempts is too small`,
		`{"observation": {"episode": {"problem": {"kind": "Panics"}}}}`:              `panic: as it was told to`,
		`{"observation": {"episode": {"problem": {"kind": "Nothing"}}}}`:             `a decision without a remedy`,
		`{"observation": {"episode": {"problem": {"kind": ""}}}, "settings": "far"}`: `settings: `,
	} {
		if got := asked(t, "decide", document); !strings.HasPrefix(got, `{"error":`) || !strings.Contains(got, want) {
			t.Errorf("%s: %s, not %s", document, got, want)
		}
	}
	if got := asked(t, "validate-settings", `{"settings": {"attempts": 0}}`); !strings.Contains(got, "too small") {
		t.Error(got)
	}
	if got := asked(t, "validate-settings", `{"settings": {"attempts": 3}}`); got != "" {
		t.Error(got)
	}
}

func TestWhatJSONCannotFillIsNoKnownField(t *testing.T) {
	type Base struct {
		Most int `json:"most"`
	}
	type settings struct {
		Base
		hidden  int
		Skipped int `json:"-"`
		Unit    string
	}
	if known := (settings{}); known.hidden != 0 {
		t.Fatal("it is there for its name")
	}
	for _, key := range []string{"hidden", "Hidden", "-", "Skipped", "Base"} {
		err := strict([]byte(`{"`+key+`": 1}`), new(settings))
		want := `unknown field "` + key + `": there are Unit, most`
		if err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	var read settings
	if err := strict([]byte(`{"most": 2, "Unit": "u"}`), &read); err != nil || read.Most != 2 || read.Unit != "u" {
		t.Error(read, err)
	}
}

func TestWhatIsNoQuestionIsAnError(t *testing.T) {
	for _, wrong := range [][2]string{{"decide", "{"}, {"decide", "{}"}, {"dance", "{}"}, {"decide", `{"observation": {"site": {"node": {"reboot": "ajar"}}}}`}} {
		err := restart.Answer([]string{"policy", wrong[0]}, strings.NewReader(wrong[1]), &strings.Builder{})
		if err == nil {
			t.Errorf("%v is a question", wrong)
		}
	}
}

func TestARemedyIsEqualToItselfAlone(t *testing.T) {
	all := []Remedy{
		Decline, Reboot, Escalate, Replace, Wait(1), Wait(2), Restart("a.service"), Restart("b.service"),
		OnUnit("a.service", StopStartUnit), RunFix("f", nil), RunFix("f", map[string]string{"a": "1"}),
		RunFix("f", map[string]string{"a": "2"}),
	}
	for at, one := range all {
		text, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		var read Remedy
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for other, another := range all {
			if read.Equal(another) != (at == other) {
				t.Errorf("%s equal to %v: %v", text, another, at != other)
			}
		}
	}
	for _, wrong := range []string{`"dance"`, `{}`, `{"wait": 1, "unit": {}}`, `{"wait": -1}`, `7`, `{"unit": {"name": "a", "why": 1}}`} {
		if err := json.Unmarshal([]byte(wrong), new(Remedy)); err == nil {
			t.Errorf("%s is a remedy", wrong)
		}
	}
	if _, err := json.Marshal(Remedy{}); err == nil {
		t.Error("no remedy is one")
	}
}

func TestWhatWasRefusedWasNotTried(t *testing.T) {
	again := Restart("containerd.service")
	episode := Episode{Attempts: []Attempt{
		{Remedy: again, Outcome: Running}, {Remedy: again, Outcome: Refused}, {Remedy: Reboot, Outcome: Failed}, {Remedy: again, Outcome: Failed},
	}}
	if tried, at := episode.Tried(again), len(episode.AttemptsAt(again)); tried != 2 || at != 3 {
		t.Error(tried, at)
	}
	if episode.Running() != &episode.Attempts[0] || episode.Last() != &episode.Attempts[0] || (&Episode{}).Last() != nil {
		t.Error("running or last")
	}
}

func TestWhatIsNotCertainOrUnderWayIsWaitedFor(t *testing.T) {
	sick := func() *Observation {
		return &Observation{
			Episode: Episode{Problem: Condition{Kind: "K", Status: Yes}},
			Site:    Site{ControlPlane: &ClusterView{Freshness: Fresh}},
		}
	}
	if sick().NotNow() != nil {
		t.Error("a sick node waits")
	}
	unknown, stale, running := sick(), sick(), sick()
	unknown.Episode.Problem.Status = Unknown
	stale.Site.ControlPlane.Freshness = Stale
	running.Episode.Attempts = []Attempt{{Remedy: Reboot, Outcome: Running}}
	for _, seen := range []*Observation{unknown, stale, running} {
		if wait := seen.NotNow(); wait == nil || !wait.Remedy.Equal(Wait(30)) {
			t.Errorf("%+v", wait)
		}
	}
}

func TestWhatIsNotThereIsNil(t *testing.T) {
	seen := Observation{Site: Site{Node: &NodeView{Units: []Unit{{Name: "a.service", Gate: Open()}}, Freshness: Fresh}}}
	if !seen.IsFresh() || !seen.Site.Node.Unit("a.service").Gate.IsOpen() || seen.Site.Node.Unit("b.service") != nil {
		t.Error("the node's view")
	}
	if seen.Site.Node.Fix("f") != nil || seen.Condition("Ready") != nil || (Gate{}).IsOpen() {
		t.Error("nothing there")
	}
	var other *NodeView
	if other.Unit("a.service") != nil || other.Fix("f") != nil || (&Observation{}).IsFresh() {
		t.Error("the other site")
	}
}

// The types are written by hand; the contract's schema says when they are not what it has.
func TestTheTypesAreThoseOfTheContract(t *testing.T) {
	type definition struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	var schema struct {
		Definitions map[string]definition `json:"$defs"`
	}
	text, err := os.ReadFile(filepath.Join("..", "schema", "v0.1", "question.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	for _, of := range []any{
		Observation{}, Moment{}, Node{}, Episode{}, Condition{}, Attempt{}, EventCount{}, NodeView{}, Unit{}, Fix{}, ClusterView{},
		Group{}, Server{}, UnitCall{}, FixCall{},
	} {
		name := reflect.TypeOf(of).Name()
		definition, known := schema.Definitions[name]
		if !known {
			t.Errorf("the contract has no %s", name)
		}
		required := map[string]bool{}
		for _, field := range definition.Required {
			required[field] = true
		}
		for at := range reflect.TypeOf(of).NumField() {
			here := reflect.TypeOf(of).Field(at)
			field, _, _ := strings.Cut(here.Tag.Get("json"), ",")
			if _, there := definition.Properties[field]; !there {
				t.Errorf("%s has no %s", name, field)
			}
			// what may be absent is a pointer, or a map, which is then empty
			if kind := here.Type.Kind(); kind == reflect.Pointer == required[field] && kind != reflect.Map {
				t.Errorf("%s.%s is required: %v", name, field, required[field])
			}
			delete(definition.Properties, field)
		}
		for missing := range definition.Properties {
			t.Errorf("%s.%s is missing here", name, missing)
		}
	}
}
