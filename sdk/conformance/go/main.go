// The conformance policy in Go, as a WASI command: sdk/conformance/README.md says what it must answer.
//
//	GOOS=wasip1 GOARCH=wasm go build -o conformance.wasm .
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

// settings are the answer that is wanted, in the contract's JSON form.
type settings struct {
	Remedy json.RawMessage `json:"remedy,omitempty"`
	Reason string          `json:"reason"`
	Settle *uint32         `json:"settle,omitempty"`
	Error  string          `json:"error"`
	Refuse string          `json:"refuse"`
}

type question struct {
	APIVersion  string         `json:"apiVersion"`
	Observation map[string]any `json:"observation"`
	Settings    settings       `json:"settings"`
}

type decision struct {
	APIVersion string            `json:"apiVersion"`
	Remedy     json.RawMessage   `json:"remedy"`
	Reason     string            `json:"reason"`
	Settle     *uint32           `json:"settle,omitempty"`
	Notes      map[string]string `json:"notes"`
}

func main() {
	var asked question
	input := json.NewDecoder(os.Stdin)
	input.UseNumber() // an integer stays what it is, however large
	if err := input.Decode(&asked); err != nil {
		panic(err)
	}
	switch verb := os.Args[1]; {
	case verb == "validate-settings" && asked.Settings.Refuse != "":
		write(map[string]string{"error": asked.Settings.Refuse})
	case verb == "validate-settings":
	case asked.Settings.Error != "":
		write(map[string]string{"error": asked.Settings.Error})
	default:
		notes := map[string]string{}
		lines(notes, "", asked.Observation)
		write(decision{asked.APIVersion, asked.Settings.Remedy, asked.Settings.Reason, asked.Settings.Settle, notes})
	}
}

func write(answer any) {
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		panic(err)
	}
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
