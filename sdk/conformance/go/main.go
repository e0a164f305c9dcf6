// The conformance policy in Go, as a WASI command: sdk/conformance/README.md says what it must answer.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"rectifier.dev/policy"
)

// settings are the answer that is wanted.
type settings struct {
	Remedy   policy.Remedy   `json:"remedy"`
	Reason   string          `json:"reason"`
	Settle   *policy.Seconds `json:"settle"`
	Error    string          `json:"error"`
	Refuse   string          `json:"refuse"`
	Panic    string          `json:"panic"`
	Loop     bool            `json:"loop"`
	Allocate bool            `json:"allocate"`
}

func main() {
	policy.Policy[settings]{Check: check, Decide: decide}.Main()
}

func check(said settings) error {
	if said.Refuse != "" {
		return errors.New(said.Refuse)
	}
	return nil
}

func decide(seen *policy.Observation, said settings) (policy.Decision, error) {
	switch {
	case said.Error != "":
		return policy.Decision{}, errors.New(said.Error)
	case said.Panic != "":
		panic(said.Panic)
	case said.Loop:
		for {
		}
	case said.Allocate:
		for taken := [][]byte{}; ; {
			taken = append(taken, bytes.Repeat([]byte{1}, 1<<20))
		}
	}
	text, err := json.Marshal(seen)
	if err != nil {
		return policy.Decision{}, err
	}
	input := json.NewDecoder(bytes.NewReader(text))
	input.UseNumber() // an integer stays what it is, however large
	var values any
	if err := input.Decode(&values); err != nil {
		return policy.Decision{}, err
	}
	notes := map[string]string{}
	lines(notes, "", values)
	return policy.Decision{Remedy: said.Remedy, Reason: said.Reason, Settle: said.Settle, Notes: notes}, nil
}

// lines writes every value as a line: the names joined by dots, and the value as text.
func lines(notes map[string]string, place string, value any) {
	below := func(name string) string {
		if place == "" {
			return name
		}
		return place + "." + name
	}
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 {
			notes[place] = "{}"
		}
		for name, inner := range value {
			lines(notes, below(name), inner)
		}
	case []any:
		if len(value) == 0 {
			notes[place] = "[]"
		}
		for at, inner := range value {
			lines(notes, below(strconv.Itoa(at)), inner)
		}
	default:
		notes[place] = fmt.Sprint(value)
	}
}
