package policy

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"
)

// A component's arguments and results in its memory, as the canonical ABI lays out the types of sdk/wit/policy.wit: fields in their
// order, each at a multiple of its alignment; a string or a list as address and length; the case of a variant, an option or an
// enum as one byte before its payload. A test reads and writes the same by the contract's text.

// The cases of the contract's enums, in its order.
var (
	statuses    = []Status{Yes, No, Unknown}
	freshnesses = []Freshness{Fresh, Stale, Missing}
	outcomes    = []Outcome{Running, Recovered, NoEffect, Failed, Refused, NobodyKnows}
	unitVerbs   = []UnitVerb{RestartUnit, StartUnit, StopStartUnit, ResetFailedUnit}
)

// The sizes of variants and options in bytes, which have that size in each of their cases.
const (
	gateSize            = 12
	remedySize          = 20
	siteSize            = 120
	optionalTextSize    = 12
	optionalSecondsSize = 8
	optionalServerSize  = 44
)

// place is where the next value is read from. What it reads holds the memory's own bytes as its strings.
type place struct {
	// memory gives so many bytes from an address on.
	memory func(address, length uint32) []byte
	at     uint32
}

func (at *place) observation() Observation {
	at.align(8)
	seen := Observation{
		ID:            at.text(),
		Now:           at.moment(),
		Node:          at.node(),
		Site:          at.site(),
		Episode:       at.episode(),
		OtherEpisodes: list(at, (*place).episode),
		Conditions:    list(at, (*place).condition),
		Events:        list(at, (*place).eventCount),
		Facts:         at.pairs(),
	}
	at.align(8)
	return seen
}

func (at *place) moment() Moment {
	at.align(8)
	moment := Moment{UnixSeconds: at.uint64(), Weekday: at.byte(), MinuteOfDay: at.uint16()}
	at.align(8)
	return moment
}

func (at *place) node() Node {
	return Node{
		Name:          at.text(),
		Pool:          optional(at, optionalTextSize, (*place).text),
		Zone:          at.text(),
		Labels:        at.pairs(),
		Ready:         statuses[at.byte()],
		Unschedulable: at.bool(),
		Uptime:        optional(at, optionalSecondsSize, (*place).uint32),
		Pods:          at.uint32(),
	}
}

func (at *place) site() Site {
	which, end := at.variant(siteSize)
	var site Site
	if which == 0 {
		view := at.nodeView()
		site.Node = &view
	} else {
		view := at.clusterView()
		site.ControlPlane = &view
	}
	at.at = end
	return site
}

func (at *place) nodeView() NodeView {
	view := NodeView{
		Units:     list(at, (*place).unit),
		Fixes:     list(at, (*place).fix),
		Reboot:    at.gate(),
		Freshness: freshnesses[at.byte()],
	}
	at.align(4)
	return view
}

func (at *place) unit() Unit {
	return Unit{
		Name: at.text(), ActiveState: at.text(), SubState: at.text(), Restarts: at.uint32(), Held: at.uint32(), Gate: at.gate(),
	}
}

func (at *place) fix() Fix {
	return Fix{Name: at.text(), Params: list(at, (*place).text), Gate: at.gate()}
}

func (at *place) clusterView() ClusterView {
	view := ClusterView{
		Pool:        at.group(),
		Zone:        at.group(),
		SameProblem: at.group(),
		Server:      optional(at, optionalServerSize, (*place).server),
		RequestedBy: at.text(),
		Reboot:      at.gate(),
		Replace:     at.gate(),
		Freshness:   freshnesses[at.byte()],
	}
	at.align(4)
	return view
}

func (at *place) group() Group {
	return Group{Nodes: at.uint32(), Sick: at.uint32(), Repairing: at.uint32()}
}

func (at *place) server() Server {
	server := Server{
		Status:     at.text(),
		Task:       optional(at, optionalTextSize, (*place).text),
		Fault:      optional(at, optionalTextSize, (*place).text),
		Age:        at.uint32(),
		ProvenDead: at.bool(),
	}
	at.align(4)
	return server
}

func (at *place) episode() Episode {
	return Episode{
		Problem: at.condition(), Age: at.uint32(), Recurrences: at.uint32(), Attempts: list(at, (*place).attempt),
	}
}

func (at *place) condition() Condition {
	return Condition{
		Kind:    at.text(),
		Status:  statuses[at.byte()],
		Reason:  at.text(),
		Message: at.text(),
		Held:    at.uint32(),
		Source:  at.text(),
	}
}

func (at *place) attempt() Attempt {
	return Attempt{Remedy: at.remedy(), Age: at.uint32(), Outcome: outcomes[at.byte()], Detail: at.text()}
}

func (at *place) eventCount() EventCount {
	return EventCount{
		Reason: at.text(), Message: at.text(), Count: at.uint32(), Window: at.uint32(), LastSeen: at.uint32(),
	}
}

func (at *place) gate() Gate {
	which, end := at.variant(gateSize)
	gate := Open()
	if which == 1 {
		gate = Closed(at.text())
	}
	at.at = end
	return gate
}

func (at *place) remedy() Remedy {
	which, end := at.variant(remedySize)
	var remedy Remedy
	switch which {
	case 0:
		remedy = Decline
	case 1:
		remedy = Wait(at.uint32())
	case 2:
		remedy = OnUnit(at.text(), unitVerbs[at.byte()])
	case 3:
		remedy = RunFix(at.text(), at.pairs())
	case 4:
		remedy = Reboot
	case 5:
		remedy = Escalate
	case 6:
		remedy = Replace
	}
	at.at = end
	return remedy
}

// variant is the case of a variant of so many bytes, whose payload is read next, and where what follows the variant is.
func (at *place) variant(size uint32) (which byte, end uint32) {
	at.align(4)
	end = at.at + size
	which = at.byte()
	at.align(4)
	return which, end
}

func optional[T any](at *place, size uint32, read func(*place) T) *T {
	there, end := at.variant(size)
	var value *T
	if there == 1 {
		read := read(at)
		value = &read
	}
	at.at = end
	return value
}

// list is never nil: an empty one is written as [].
func list[T any](at *place, read func(*place) T) []T {
	first, length := at.uint32(), at.uint32()
	items, item := make([]T, length), place{at.memory, first}
	for at := range items {
		items[at] = read(&item)
	}
	return items
}

func (at *place) pairs() map[string]string {
	first, length := at.uint32(), at.uint32()
	pairs, item := make(map[string]string, length), place{at.memory, first}
	for range length {
		name := item.text()
		pairs[name] = item.text()
	}
	return pairs
}

func (at *place) text() string {
	bytes := at.lent()
	return unsafe.String(unsafe.SliceData(bytes), len(bytes))
}

// lent are the bytes of a string.
func (at *place) lent() []byte {
	first, length := at.uint32(), at.uint32()
	if length == 0 {
		return nil // its address may be any
	}
	return at.memory(first, length)
}

func (at *place) bool() bool     { return at.byte() != 0 }
func (at *place) byte() byte     { return at.next(1)[0] }
func (at *place) uint16() uint16 { return binary.LittleEndian.Uint16(at.next(2)) }
func (at *place) uint32() uint32 { return binary.LittleEndian.Uint32(at.next(4)) }
func (at *place) uint64() uint64 { return binary.LittleEndian.Uint64(at.next(8)) }

func (at *place) next(size uint32) []byte {
	at.align(size)
	bytes := at.memory(at.at, size)
	at.at += size
	return bytes
}

// align goes on to the next multiple of a power of two.
func (at *place) align(to uint32) { at.at = (at.at + to - 1) &^ (to - 1) }

// lender gives bytes to the caller until it has read them, and tells their address, a multiple of 4 if there are 4 of them or more.
type lender func(bytes []byte) uint32

// wellSaid is where a result lies that is no error and says nothing: result<_, string>.
func (lend lender) wellSaid() uint32 { return lend(make([]byte, 12)) }

// failed is where a result of either kind lies that is this error: result<_, string> or result<decision, string>.
func (lend lender) failed(err error) uint32 {
	return lend(lend.text([]byte{1, 0, 0, 0}, err.Error()))
}

// decided is where a decision lies as result<decision, string>. The error says that it cannot be written.
func (lend lender) decided(decision Decision) (uint32, error) {
	result := make([]byte, 4, 48)
	result, err := lend.remedy(result, decision.Remedy)
	if err != nil {
		return 0, err
	}
	result = lend.text(result, decision.Reason)
	if decision.Settle != nil {
		result = append32(result, 1, *decision.Settle)
	} else {
		result = append32(result, 0, 0)
	}
	return lend(lend.pairs(result, decision.Notes)), nil
}

func (lend lender) remedy(into []byte, remedy Remedy) ([]byte, error) {
	end := len(into) + remedySize
	switch {
	case remedy.wait != nil:
		into = append32(into, 1, *remedy.wait)
	case remedy.unit != nil:
		verb := slices.Index(unitVerbs, remedy.unit.Verb)
		if verb < 0 {
			return nil, fmt.Errorf("%q is no verb of units", remedy.unit.Verb)
		}
		into = append32(lend.text(append32(into, 2), remedy.unit.Name), uint32(verb))
	case remedy.fix != nil:
		into = lend.pairs(lend.text(append32(into, 3), remedy.fix.Name), remedy.fix.Args)
	default:
		which := slices.Index([]string{Decline.plain, "", "", "", Reboot.plain, Escalate.plain, Replace.plain}, remedy.plain)
		if remedy.plain == "" || which < 0 {
			return nil, errNoRemedy
		}
		into = append32(into, uint32(which))
	}
	return append(into, make([]byte, end-len(into))...), nil
}

// pairs are in the order of their names: the same decision is the same bytes.
func (lend lender) pairs(into []byte, pairs map[string]string) []byte {
	items := make([]byte, 0, 16*len(pairs))
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		items = lend.text(lend.text(items, name), pairs[name])
	}
	return append32(into, lend(items), uint32(len(pairs)))
}

// text is UTF-8 whatever it was, as encoding/json makes it.
func (lend lender) text(into []byte, text string) []byte {
	text = strings.ToValidUTF8(text, "\uFFFD")
	return append32(into, lend(unsafe.Slice(unsafe.StringData(text), len(text))), uint32(len(text)))
}

func append32(into []byte, values ...uint32) []byte {
	for _, value := range values {
		into = binary.LittleEndian.AppendUint32(into, value)
	}
	return into
}
