package policy

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is here reads and writes values by the contract's text alone: the layout in canonical.go is held against it.

// contract are the types of sdk/wit/policy.wit by their names.
type contract map[string]definition

// definition is what stands between the braces of a record, a variant or an enum; an alias has one field, its type.
type definition struct {
	kind   string
	fields []field
}

// field has no type if it is a case without a payload.
type field struct{ name, is string }

func readContract(t *testing.T) contract {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "wit", "policy.wit"))
	if err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`//.*`).ReplaceAllString(string(text), "")
	types := contract{}
	for _, found := range regexp.MustCompile(`(record|variant|enum) ([a-z-]+) \{([^}]*)\}`).FindAllStringSubmatch(bare, -1) {
		of := definition{kind: found[1]}
		for _, one := range regexp.MustCompile(`([a-z-]+)(?:: ([a-z0-9<>-]+)|\(([a-z0-9<>-]+)\))?`).FindAllStringSubmatch(found[3], -1) {
			of.fields = append(of.fields, field{one[1], one[2] + one[3]})
		}
		types[found[2]] = of
	}
	for _, found := range regexp.MustCompile(`type ([a-z-]+) = ([a-z0-9]+);`).FindAllStringSubmatch(bare, -1) {
		types[found[1]] = definition{"type", []field{{is: found[2]}}}
	}
	if len(types) < 20 {
		t.Fatalf("only %d types were read", len(types))
	}
	types["result"] = definition{"variant", []field{{"decided", "decision"}, {"failed", "string"}}}
	return types
}

// within is what T is in list<T>; "" if it is no such type.
func within(is, generic string) string {
	inner, found := strings.CutPrefix(is, generic+"<")
	if !found {
		return ""
	}
	return strings.TrimSuffix(inner, ">")
}

// resolved is a primitive type or a list as its own definition, an option as the variant that it is.
func (types contract) resolved(is string) definition {
	of, named := types[is]
	inner := within(is, "option")
	switch {
	case named && of.kind == "type":
		return types.resolved(of.fields[0].is)
	case named:
		return of
	case inner != "":
		return definition{"option", []field{{"none", ""}, {"some", inner}}}
	case within(is, "list") != "":
		return definition{kind: "list"}
	}
	return definition{kind: is}
}

var primitives = map[string]uint32{"bool": 1, "u8": 1, "u16": 2, "u32": 4, "u64": 8, "string": 4, "list": 4, "enum": 1}

func (types contract) align(is string) uint32 {
	of := types.resolved(is)
	most := max(primitives[of.kind], 1)
	for _, field := range of.fields {
		if field.is != "" {
			most = max(most, types.align(field.is))
		}
	}
	return most
}

func upTo(at, align uint32) uint32 { return (at + align - 1) / align * align }

func (types contract) size(is string) uint32 {
	of := types.resolved(is)
	var size uint32
	switch of.kind {
	case "string", "list":
		size = 8
	case "record":
		for _, field := range of.fields {
			size = upTo(size, types.align(field.is)) + types.size(field.is)
		}
	case "variant", "option":
		for _, field := range of.fields {
			if field.is != "" {
				size = max(size, types.size(field.is))
			}
		}
		size += types.align(is)
	default:
		size = primitives[of.kind]
	}
	return upTo(size, types.align(is))
}

// inJSON is a name as the JSON form has it.
func inJSON(name string) string {
	return regexp.MustCompile(`-.`).ReplaceAllStringFunc(name, func(dash string) string { return strings.ToUpper(dash[1:]) })
}

// heap is a component's memory: all of it is taken from its end.
type heap struct {
	types contract
	bytes []byte
}

func (heap *heap) memory(address, length uint32) []byte { return heap.bytes[address : address+length] }

func (heap *heap) take(length, align uint32) uint32 {
	at := upTo(uint32(len(heap.bytes)), align)
	heap.bytes = append(heap.bytes, make([]byte, at+length-uint32(len(heap.bytes)))...)
	return at
}

func (heap *heap) lend(bytes []byte) uint32 {
	at := heap.take(uint32(len(bytes)), 8)
	copy(heap.bytes[at:], bytes)
	return at
}

func (heap *heap) write(at uint32, size uint32, number uint64) {
	copy(heap.bytes[at:at+size], binary.LittleEndian.AppendUint64(nil, number))
}

func (heap *heap) number(at, size uint32) uint64 {
	return binary.LittleEndian.Uint64(append(slices.Clone(heap.bytes[at:at+size]), make([]byte, 8)...))
}

// store writes a value in JSON as this type.
func (heap *heap) store(at uint32, is string, value any) {
	of := heap.types.resolved(is)
	align := heap.types.align(is)
	switch of.kind {
	case "bool":
		if value.(bool) {
			heap.write(at, 1, 1)
		}
	case "string":
		heap.write(at, 4, uint64(heap.lend([]byte(value.(string)))))
		heap.write(at+4, 4, uint64(len(value.(string))))
	case "list":
		heap.storeList(at, within(is, "list"), value)
	case "record":
		offset := at
		for _, field := range of.fields {
			offset = upTo(offset, heap.types.align(field.is))
			heap.store(offset, field.is, value.(map[string]any)[inJSON(field.name)])
			offset += heap.types.size(field.is)
		}
	case "enum":
		heap.write(at, 1, uint64(slices.IndexFunc(of.fields, func(field field) bool { return inJSON(field.name) == value })))
	case "option":
		if value != nil {
			heap.write(at, 1, 1)
			heap.store(at+align, of.fields[1].is, value)
		}
	case "variant":
		for which, field := range of.fields {
			payload, has := any(nil), value == inJSON(field.name)
			if object, is := value.(map[string]any); is {
				payload, has = object[inJSON(field.name)], object[inJSON(field.name)] != nil
			}
			if has {
				heap.write(at, 1, uint64(which))
				if field.is != "" {
					heap.store(at+align, field.is, payload)
				}
			}
		}
	default:
		heap.write(at, primitives[of.kind], uint64(value.(float64)))
	}
}

func (heap *heap) storeList(at uint32, item string, value any) {
	items, _ := value.([]any)
	if pairs, is := value.(map[string]any); is {
		for _, name := range slices.Sorted(maps.Keys(pairs)) {
			items = append(items, map[string]any{"name": name, "value": pairs[name]})
		}
	}
	size := heap.types.size(item)
	first := heap.take(size*uint32(len(items)), heap.types.align(item))
	for index, value := range items {
		heap.store(first+size*uint32(index), item, value)
	}
	heap.write(at, 4, uint64(first))
	heap.write(at+4, 4, uint64(len(items)))
}

// load is the value in JSON that is written as this type.
func (heap *heap) load(at uint32, is string) any {
	of := heap.types.resolved(is)
	align := heap.types.align(is)
	switch of.kind {
	case "string":
		return string(heap.memory(uint32(heap.number(at, 4)), uint32(heap.number(at+4, 4))))
	case "list":
		item := within(is, "list")
		if item != "pair" {
			panic("only pairs are answered")
		}
		pairs, first := map[string]any{}, uint32(heap.number(at, 4))
		for index := range uint32(heap.number(at+4, 4)) {
			pair := heap.load(first+heap.types.size(item)*index, item).(map[string]any)
			pairs[pair["name"].(string)] = pair["value"]
		}
		return pairs
	case "record":
		object := map[string]any{}
		for _, field := range of.fields {
			at = upTo(at, heap.types.align(field.is))
			if value := heap.load(at, field.is); value != nil {
				object[inJSON(field.name)] = value
			}
			at += heap.types.size(field.is)
		}
		return object
	case "enum":
		return inJSON(of.fields[heap.number(at, 1)].name)
	case "option":
		if heap.number(at, 1) == 0 {
			return nil
		}
		return heap.load(at+align, of.fields[1].is)
	case "variant":
		field := of.fields[heap.number(at, 1)]
		if field.is == "" {
			return inJSON(field.name)
		}
		return map[string]any{inJSON(field.name): heap.load(at+align, field.is)}
	}
	return float64(heap.number(at, primitives[of.kind]))
}

func newHeap(t *testing.T) *heap { return &heap{readContract(t), make([]byte, 16)} }

type golden struct {
	Observation any `json:"observation"`
	Decision    any `json:"decision"`
}

func goldenCases(t *testing.T) map[string]golden {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "conformance", "cases", "*.json"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	cases := map[string]golden{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var one golden
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases[filepath.Base(file)] = one
	}
	return cases
}

func TestAnObservationIsReadAsTheContractLaysItOut(t *testing.T) {
	for name, golden := range goldenCases(t) {
		heap := newHeap(t)
		parameters := heap.take(heap.types.size("observation")+8, 8)
		heap.store(parameters, "observation", golden.Observation)
		heap.store(parameters+heap.types.size("observation"), "string", "{}")
		at := place{heap.memory, parameters}
		written, err := json.Marshal(at.observation())
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(written, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, golden.Observation) {
			t.Errorf("%s: %s", name, written)
		}
		if settings := at.text(); settings != "{}" {
			t.Errorf("%s: settings %q", name, settings)
		}
	}
}

func TestADecisionIsWrittenAsTheContractLaysItOut(t *testing.T) {
	for name, golden := range goldenCases(t) {
		if golden.Decision == nil {
			continue
		}
		text, err := json.Marshal(golden.Decision)
		if err != nil {
			t.Fatal(err)
		}
		var decision Decision
		if err := json.Unmarshal(text, &decision); err != nil {
			t.Fatal(err)
		}
		heap := newHeap(t)
		result, err := lender(heap.lend).decided(decision)
		if err != nil {
			t.Fatal(err)
		}
		got := heap.load(result, "result")
		if !reflect.DeepEqual(got, map[string]any{"decided": golden.Decision}) {
			t.Errorf("%s: %v, not %s", name, got, text)
		}
	}
}

func TestEveryRemedyIsWrittenAndReadAlike(t *testing.T) {
	all := []Remedy{
		Decline, Reboot, Escalate, Replace, Wait(7), RunFix("f", nil), RunFix("f", map[string]string{"a": "1", "b": ""}),
	}
	for _, verb := range unitVerbs {
		all = append(all, OnUnit("a.service", verb))
	}
	for _, remedy := range all {
		heap := newHeap(t)
		written, err := lender(heap.lend).remedy(nil, remedy)
		if err != nil || len(written) != int(heap.types.size("remedy")) {
			t.Fatal(remedy, written, err)
		}
		text, err := json.Marshal(remedy)
		if err != nil {
			t.Fatal(err)
		}
		var want any
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		at := heap.lend(written)
		if said := heap.load(at, "remedy"); !reflect.DeepEqual(said, want) {
			t.Errorf("%v, not %s", said, text)
		}
		if read := (&place{heap.memory, at}).remedy(); !read.Equal(remedy) {
			t.Errorf("%+v, not %s", read, text)
		}
	}
}

func TestWhatCannotBeWrittenIsAnErrorAndTextIsUTF8(t *testing.T) {
	heap := newHeap(t)
	for want, decision := range map[string]Decision{
		"a decision without a remedy": {},
		`"dance" is no verb`:          OnUnit("a.service", "dance").Because(""),
	} {
		if _, err := lender(heap.lend).decided(decision); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
	failed := heap.load(lender(heap.lend).failed(errors.New("torn \xff")), "result")
	if !reflect.DeepEqual(failed, map[string]any{"failed": "torn \uFFFD"}) {
		t.Error(failed)
	}
	if well := lender(heap.lend).wellSaid(); heap.number(well, 1) != 0 {
		t.Error("it is not well")
	}
}

func TestTheSizesAndCasesAreThoseOfTheContract(t *testing.T) {
	types := readContract(t)
	for is, size := range map[string]uint32{
		"gate": gateSize, "remedy": remedySize, "site": siteSize, "option<string>": optionalTextSize,
		"option<seconds>": optionalSecondsSize, "option<server>": optionalServerSize,
	} {
		if types.size(is) != size {
			t.Errorf("%s has %d bytes, not %d", is, types.size(is), size)
		}
	}
	differs := func(is string, here any) {
		var names []string
		for _, field := range types[is].fields {
			names = append(names, inJSON(field.name))
		}
		text, err := json.Marshal(here)
		said, err2 := json.Marshal(names)
		if string(text) != string(said) || cmp.Or(err, err2) != nil {
			t.Errorf("%s: %s, not %s", is, text, said)
		}
	}
	differs("status", statuses)
	differs("freshness", freshnesses)
	differs("outcome", outcomes)
	differs("unit-verb", unitVerbs)
}
