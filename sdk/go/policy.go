package policy

import (
	"encoding/json"
	"fmt"
	"io"
)

const apiVersion = "rectifier.dev/policy/v0.1"

// NoSettings are the settings of a policy that has none: a sidecar that gives some is refused.
type NoSettings struct{}

// Policy is a pure function of what is seen and of the operator's settings S, which are read as JSON; a key that S does not know is
// refused, not ignored.
type Policy[S any] struct {
	// Defaults are the settings where the operator says nothing.
	Defaults S
	// Check tells whether the settings are usable, beyond being well-formed; the error is one line for the operator, naming the key. It
	// is asked once when the policy is loaded. May be nil.
	Check func(settings S) error
	// Decide says what to do now. The error is for what cannot be decided at all, and counts as a failure of the policy; for a problem
	// that is somebody else's answer Decline.
	Decide func(seen *Observation, settings S) (Decision, error)
}

// Main is all of a policy's main. In a WASI command it answers the one question that the engine asks; in a component it says who
// answers, and returns.
func (policy Policy[S]) Main() { serve(policy) }

type question struct {
	APIVersion  string          `json:"apiVersion"`
	Observation *Observation    `json:"observation"`
	Settings    json.RawMessage `json:"settings"`
}

type answer struct {
	APIVersion string `json:"apiVersion"`
	Decision
}

type refusal struct {
	Error string `json:"error"`
}

// Answer answers one question, as Main does: arguments are the command's (its name, and decide or validate-settings), in and out its
// standard input and output. A panic of the policy's becomes an answer, too: that it cannot decide, and why.
//
// The error says that this was no question, or that the answer could not be written.
func (policy Policy[S]) Answer(arguments []string, in io.Reader, out io.Writer) error {
	var asked question
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return fmt.Errorf("the question cannot be read: %w", err)
	}
	if len(arguments) != 2 {
		return fmt.Errorf("called with %d arguments: decide or validate-settings is asked", len(arguments)-1)
	}
	var said any
	var err error
	switch verb := arguments[1]; {
	case verb == "validate-settings":
		err = policy.validate(asked.Settings)
	case verb == "decide" && asked.Observation != nil:
		var decision Decision
		decision, err = policy.decide(asked.Observation, asked.Settings)
		said = answer{apiVersion, decision}
	default:
		return fmt.Errorf("%q is no question, or without an observation", verb)
	}
	if err != nil {
		said = refusal{err.Error()}
	}
	if said == nil {
		return nil
	}
	written, err := json.Marshal(said)
	if err != nil {
		written, err = json.Marshal(refusal{err.Error()})
	}
	if err == nil {
		_, err = out.Write(append(written, '\n'))
	}
	return err
}

// validate answers the contract's validate-settings; a panic is an error.
func (policy Policy[S]) validate(settings []byte) error {
	return guarded(func() error {
		_, err := policy.settings(settings)
		return err
	})
}

// decide answers the contract's decide, likewise.
func (policy Policy[S]) decide(seen *Observation, settings []byte) (decision Decision, err error) {
	err = guarded(func() error {
		settings, err := policy.settings(settings)
		if err != nil {
			return err
		}
		decision, err = policy.Decide(seen, settings)
		return err
	})
	return decision, err
}

func (policy Policy[S]) settings(raw json.RawMessage) (S, error) {
	settings := policy.Defaults
	if len(raw) > 0 {
		if err := strict(raw, &settings); err != nil {
			return settings, fmt.Errorf("settings: %w", err)
		}
	}
	if policy.Check == nil {
		return settings, nil
	}
	return settings, policy.Check(settings)
}

// guarded calls what the policy's author wrote.
func guarded(call func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return call()
}
