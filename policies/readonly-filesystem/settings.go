package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rectifier.dev/policy"
)

// settings are what the operator's sidecar says under that name.
type settings struct {
	// Replace the node; else a human is always asked.
	Replace bool
	// Devices are the disks that are the node's own; a partition of one counts as it.
	Devices []string
	// SharedPercent of the pool's or the zone's nodes with the same problem make it that of their storage.
	SharedPercent uint32
	// PatienceSeconds are how old the problem gets while its replacement is held back, before a human is asked.
	PatienceSeconds policy.Seconds
}

// defaults are also what the shipped sidecar says. A day of patience, so that a storm and a night without anybody pass.
var defaults = settings{Replace: true, Devices: []string{"vda", "sda", "xvda", "nvme0n1"}, SharedPercent: 20, PatienceSeconds: 86400}

// UnmarshalJSON reads what is said over the defaults. It is written by hand so that a refusal says what would be right, and so that a
// key without a value, which is null, is none that was left out.
func (said *settings) UnmarshalJSON(text []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil || values == nil {
		return fmt.Errorf("%s is no object", text)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		var err error
		switch value := values[key]; key {
		case "replace":
			var truth *bool
			if json.Unmarshal(value, &truth) != nil || truth == nil {
				return fmt.Errorf("replace is %s, not true or false", value)
			}
			said.Replace = *truth
		case "devices":
			said.Devices, err = names(key, value)
		case "sharedPercent":
			said.SharedPercent, err = integer(key, value, 1, 100)
		case "patienceSeconds":
			said.PatienceSeconds, err = integer(key, value, 0, 604800)
		default:
			err = fmt.Errorf("the key %q is not known; known: replace, devices, sharedPercent, patienceSeconds", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func integer(key string, value json.RawMessage, least, most uint32) (uint32, error) {
	var read *uint32
	if json.Unmarshal(value, &read) != nil || read == nil || *read < least || *read > most {
		return 0, fmt.Errorf("%s is %s, not an integer from %d to %d", key, value, least, most)
	}
	return *read, nil
}

func names(key string, value json.RawMessage) ([]string, error) {
	var read []string
	isWrong := func(name string) bool {
		return name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz"+digits) != ""
	}
	if json.Unmarshal(value, &read) != nil || len(read) == 0 || slices.ContainsFunc(read, isWrong) {
		return nil, fmt.Errorf("%s is %s, not a list of one or more names of a to z and 0 to 9, such as vda", key, value)
	}
	return read, nil
}
