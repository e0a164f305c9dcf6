//go:build rectifier_component && wasip1

package policy

import (
	"errors"
	"strings"
	"unsafe"
)

// What a component exports and imports. Its memory is Go's own: what the caller puts there lies in Go's heap, and so does what it
// reads as an answer. Go's collector moves nothing and does not see addresses in there, so both are held until the answer is read.

// held is what one call put into memory, or is to read from there.
var held []unsafe.Pointer

// theirMain is the main of the policy's author; whoSays is what it said with Main.
var (
	theirMain func()
	whoSays   interface {
		validate(settings []byte) error
		decide(seen *Observation, settings []byte) (Decision, error)
	}
)

// Component makes a component of the program with this main. It is called before main, by a file that `rectifier policy build` puts
// beside the policy's own; with the build tag rectifier_component only.
func Component(main func()) { theirMain = main }

// serve keeps who answers.
func serve[S any](policy Policy[S]) { whoSays = policy }

// whoAnswers lets main say who answers.
func whoAnswers() error {
	if whoSays == nil {
		if err := guarded(func() error { theirMain(); return nil }); err != nil {
			return err
		}
	}
	if whoSays == nil {
		return errors.New("main is over, and nobody called Main of a Policy")
	}
	return nil
}

//go:wasmexport rectifier:policy/decider@0.1.0#validate-settings
func validateSettings(text unsafe.Pointer, length uint32) uint32 {
	settings := unsafe.Slice((*byte)(text), length)
	err := whoAnswers()
	if err == nil {
		err = whoSays.validate(settings)
	}
	if err != nil {
		return lender(lend).failed(err)
	}
	return lender(lend).wellSaid()
}

//go:wasmexport rectifier:policy/decider@0.1.0#decide
func decide(parameters uint32) uint32 {
	at := place{memory, parameters}
	seen := at.observation()
	settings := at.lent()
	setClock(seen.Now.UnixSeconds * 1_000_000_000)
	if err := whoAnswers(); err != nil {
		return lender(lend).failed(err)
	}
	decision, err := whoSays.decide(&seen, settings)
	if err != nil {
		return lender(lend).failed(err)
	}
	result, err := lender(lend).decided(decision)
	if err != nil {
		return lender(lend).failed(err)
	}
	return result
}

//go:wasmexport cabi_post_rectifier:policy/decider@0.1.0#validate-settings
func validateSettingsIsRead(uint32) { held = nil }

//go:wasmexport cabi_post_rectifier:policy/decider@0.1.0#decide
func decideIsRead(uint32) { held = nil }

// allocate is how the caller gets memory for what it writes; of none the address may be any. Go has no memory to spare but through
// its collector, so that the runtime must be initialized before: it is, by _initialize, which a component calls first of all.
//
//go:wasmexport cabi_realloc
func allocate(old unsafe.Pointer, oldLength, align, length uint32) unsafe.Pointer {
	words := make([]uint64, (length+7)/8) // aligned for whatever it is
	place := unsafe.Pointer(unsafe.SliceData(words))
	held = append(held, place)
	copy(unsafe.Slice((*byte)(place), length), unsafe.Slice((*byte)(old), oldLength))
	return place
}

// memory is from an address on, which the caller had of allocate.
func memory(address, length uint32) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(nil, address)), length)
}

func lend(bytes []byte) uint32 {
	if len(bytes) == 0 {
		return 4 // none is read from there
	}
	place := unsafe.Pointer(unsafe.SliceData(bytes))
	held = append(held, place)
	return uint32(uintptr(place))
}

// writeLine writes a line into the operator's log.
func writeLine(level level, line string) {
	logWrite(level, strings.ToValidUTF8(line, "\uFFFD"))
}

// logWrite writes what is UTF-8 of it: a line for each piece between bytes that are not.
//
//go:wasmimport wasi_snapshot_preview1 rectifier_write_line
func logWrite(level level, line string)

// setClock sets time.Now, in nanoseconds since 1970-01-01T00:00Z. It stands there.
//
//go:wasmimport wasi_snapshot_preview1 rectifier_set_clock
func setClock(nanoseconds uint64)

// lastWords are a line that the runtime has begun to write, in pieces: of a panic in a goroutine, or of a fatal error, and then where
// that was; or what println was given.
var lastWords struct {
	bytes  [1000]byte
	length uint32
	over   bool
}

//go:linkname overrideWrite runtime.overrideWrite
var overrideWrite func(fd uintptr, text unsafe.Pointer, length int32) int32

func init() { overrideWrite = keepLastWords }

// keepLastWords is called where nothing may be allocated.
//
//go:nosplit
func keepLastWords(_ uintptr, text unsafe.Pointer, length int32) int32 {
	for at := range length {
		switch byte := *(*byte)(unsafe.Add(text, at)); {
		case byte != '\n' && lastWords.length < uint32(len(lastWords.bytes)):
			lastWords.bytes[lastWords.length] = byte
			lastWords.length++
		case byte == '\n' && lastWords.length > 0:
			line, level := unsafe.String(&lastWords.bytes[0], lastWords.length), info
			switch {
			case begins(line, "panic: ") || begins(line, "fatal error: "):
				level, lastWords.over = failure, true
			case lastWords.over:
				level = debug
			}
			logWrite(level, line)
			lastWords.length = 0
		}
	}
	return length
}

//go:nosplit
func begins(line, with string) bool { return len(line) >= len(with) && line[:len(with)] == with }
