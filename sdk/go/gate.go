package policy

import (
	"encoding/json"
	"fmt"
)

// Gate says whether the engine may do it now. One that is closed carries the guard rail that says no, for people: a policy tests
// IsOpen, never the text. Advice against a closed gate is recorded as refused and not carried out. The zero value is closed.
type Gate struct {
	open bool
	rail string
}

// Open is an open gate.
func Open() Gate { return Gate{open: true} }

// Closed is a gate that is closed by this guard rail.
func Closed(rail string) Gate { return Gate{rail: rail} }

// IsOpen tells whether it may be done now.
func (gate Gate) IsOpen() bool { return gate.open }

// ClosedBy is the guard rail that says no, for people; "" if the gate is open.
func (gate Gate) ClosedBy() string { return gate.rail }

type closed struct {
	Closed *string `json:"closed"`
}

// MarshalJSON writes "open", or {"closed": "the guard rail"}.
func (gate Gate) MarshalJSON() ([]byte, error) {
	if gate.open {
		return json.Marshal("open")
	}
	return json.Marshal(closed{&gate.rail})
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing else.
func (gate *Gate) UnmarshalJSON(text []byte) error {
	if string(text) == `"open"` {
		*gate = Open()
		return nil
	}
	var written closed
	if err := strict(text, &written); err != nil || written.Closed == nil {
		return fmt.Errorf(`a gate is "open" or {"closed": "…"}, not %s`, text)
	}
	*gate = Closed(*written.Closed)
	return nil
}
