package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// strict reads one document and refuses keys that are not known, also those that differ from a known one by their case alone, which
// encoding/json takes. It says which are.
func strict(text []byte, into any) error {
	input := json.NewDecoder(bytes.NewReader(text))
	input.DisallowUnknownFields()
	if err := input.Decode(into); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			// the same, and which there are
			return cmp.Or(exact(text, reflect.TypeOf(into)), err)
		}
		return err
	}
	if _, err := input.Token(); err != io.EOF {
		return fmt.Errorf("more than one document")
	}
	return exact(text, reflect.TypeOf(into))
}

// exact looks at the names of all objects that are read into structs.
func exact(text json.RawMessage, into reflect.Type) error {
	if into.Implements(reflect.TypeFor[json.Unmarshaler]()) || reflect.PointerTo(into).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil // it knows its names itself
	}
	switch into.Kind() {
	case reflect.Pointer:
		return exact(text, into.Elem())
	case reflect.Slice, reflect.Array:
		var items []json.RawMessage
		if json.Unmarshal(text, &items) != nil {
			return nil // bytes are written as text
		}
		for _, item := range items {
			if err := exact(item, into.Elem()); err != nil {
				return err
			}
		}
	case reflect.Map, reflect.Struct:
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			return err
		}
		known := names(into)
		// in an order of its own: the same text, the same error
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			field := fields[name]
			within, is := known[name]
			if into.Kind() == reflect.Map {
				within, is = into.Elem(), true
			}
			if !is {
				known := strings.Join(slices.Sorted(maps.Keys(known)), ", ")
				return fmt.Errorf("unknown field %q: there are %s", name, cmp.Or(known, "none"))
			}
			if err := exact(field, within); err != nil {
				return err
			}
		}
	}
	return nil
}

// names are those of a struct's fields in JSON, and their types.
func names(of reflect.Type) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	if of.Kind() != reflect.Struct {
		return known
	}
	for _, field := range reflect.VisibleFields(of) {
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if !field.IsExported() || tag == "-" || field.Anonymous && name == "" {
			continue
		}
		if name == "" {
			name = field.Name
		}
		known[name] = field.Type
	}
	return known
}
