package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// UnitVerb is what is done to a systemd unit.
type UnitVerb string

// The verbs.
const (
	// RestartUnit is systemd's RestartUnit.
	RestartUnit UnitVerb = "restart"
	// StartUnit is systemd's StartUnit.
	StartUnit UnitVerb = "start"
	// StopStartUnit is StopUnit, and when that is done StartUnit.
	StopStartUnit UnitVerb = "stopStart"
	// ResetFailedUnit is ResetFailedUnit, then StartUnit.
	ResetFailedUnit UnitVerb = "resetFailed"
)

// UnitCall is something to do to a unit. Its name is one of NodeView.Units.
type UnitCall struct {
	Name string   `json:"name"`
	Verb UnitVerb `json:"verb"`
}

// FixCall is a fix to run. Its name is one of NodeView.Fixes; each argument's name one of that fix's params.
type FixCall struct {
	Name string            `json:"name"`
	Args map[string]string `json:"args"`
}

// Remedy is what a policy may advise; one of the other site makes the whole answer invalid. It is made by the functions and
// variables below. The zero value is none, and cannot be answered.
type Remedy struct {
	plain string
	wait  *Seconds
	unit  *UnitCall
	fix   *FixCall
}

var (
	// Decline says that it is not this policy's: the next less specific policy is asked.
	Decline = Remedy{plain: "decline"}
	// Reboot on the node asks the control plane for the grant; in the control plane it is out of band, or a start if it is shut off.
	Reboot = Remedy{plain: "reboot"}
	// Escalate on the node asks the control plane; in the control plane, a person.
	Escalate = Remedy{plain: "escalate"}
	// Replace, in the control plane only: a similar server, Ready, before this one is drained and deleted.
	Replace = Remedy{plain: "replace"}
)

// Wait does nothing now; the policy is asked again after this time, or as soon as something changes.
func Wait(seconds Seconds) Remedy { return Remedy{wait: &seconds} }

// Restart restarts a systemd unit. Node only.
func Restart(unit string) Remedy { return OnUnit(unit, RestartUnit) }

// OnUnit does something to a systemd unit. Node only.
func OnUnit(unit string, verb UnitVerb) Remedy { return Remedy{unit: &UnitCall{unit, verb}} }

// RunFix runs a fix with its arguments, of which there may be none. Node only.
func RunFix(name string, args map[string]string) Remedy {
	call := FixCall{name, map[string]string{}}
	maps.Copy(call.Args, args)
	return Remedy{fix: &call}
}

// WaitsFor is how long a Wait waits, and whether it is one.
func (remedy Remedy) WaitsFor() (Seconds, bool) {
	if remedy.wait == nil {
		return 0, false
	}
	return *remedy.wait, true
}

// Unit is what is done to which unit; nil if it is another remedy.
func (remedy Remedy) Unit() *UnitCall { return remedy.unit }

// Fix is which fix is run; nil if it is another remedy.
func (remedy Remedy) Fix() *FixCall { return remedy.fix }

// Equal tells whether it is exactly this remedy, arguments included.
func (remedy Remedy) Equal(other Remedy) bool {
	switch {
	case remedy.wait != nil && other.wait != nil:
		return *remedy.wait == *other.wait
	case remedy.unit != nil && other.unit != nil:
		return *remedy.unit == *other.unit
	case remedy.fix != nil && other.fix != nil:
		return remedy.fix.Name == other.fix.Name && maps.Equal(remedy.fix.Args, other.fix.Args)
	default:
		return remedy == other
	}
}

// Because is this remedy as a decision, and why: one line for people.
func (remedy Remedy) Because(format string, values ...any) Decision {
	if len(values) == 0 {
		return Decision{Remedy: remedy, Reason: format}
	}
	return Decision{Remedy: remedy, Reason: fmt.Sprintf(format, values...)}
}

// Settled is the decision with so many seconds of watching after the remedy, before it is judged.
func (decision Decision) Settled(seconds Seconds) Decision {
	decision.Settle = &seconds
	return decision
}

// Noted is the decision with one more note for the record.
func (decision Decision) Noted(name, value string) Decision {
	notes := maps.Clone(decision.Notes)
	if notes == nil {
		notes = map[string]string{}
	}
	notes[name] = value
	decision.Notes = notes
	return decision
}

// MarshalJSON writes "reboot", {"wait": 30}, {"unit": {"name": "kubelet.service", "verb": "restart"}}.
func (remedy Remedy) MarshalJSON() ([]byte, error) {
	switch {
	case remedy.wait != nil:
		return json.Marshal(map[string]Seconds{"wait": *remedy.wait})
	case remedy.unit != nil:
		return json.Marshal(map[string]*UnitCall{"unit": remedy.unit})
	case remedy.fix != nil:
		return json.Marshal(map[string]*FixCall{"fix": remedy.fix})
	case remedy.plain != "":
		return json.Marshal(remedy.plain)
	}
	return nil, errNoRemedy
}

var errNoRemedy = errors.New("a decision without a remedy: answer one, with Because")

// UnmarshalJSON reads what MarshalJSON writes, and nothing else.
func (remedy *Remedy) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		for _, known := range []Remedy{Decline, Reboot, Escalate, Replace} {
			if known.plain == plain {
				*remedy = known
				return nil
			}
		}
		return fmt.Errorf("%q is no remedy", plain)
	}
	var written struct {
		Wait *Seconds  `json:"wait"`
		Unit *UnitCall `json:"unit"`
		Fix  *FixCall  `json:"fix"`
	}
	if err := strict(text, &written); err != nil {
		return fmt.Errorf("no remedy: %w", err)
	}
	read := Remedy{wait: written.Wait, unit: written.Unit, fix: written.Fix}
	cases := 0
	for _, there := range []bool{read.wait != nil, read.unit != nil, read.fix != nil} {
		if there {
			cases++
		}
	}
	if cases != 1 {
		return fmt.Errorf("no remedy: %s", text)
	}
	if read.fix != nil {
		read = RunFix(read.fix.Name, read.fix.Args)
	}
	*remedy = read
	return nil
}
