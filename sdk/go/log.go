package policy

import (
	"fmt"
	"strings"
)

// level of a line; the numbers are those of the contract's cases.
type level uint32

const (
	debug level = iota
	info
	warn
	failure
)

// Debug writes a line for the policy's author into the engine's log. Such lines are bounded, cut, and never change what is decided.
func Debug(format string, values ...any) { write(debug, format, values) }

// Info writes a line for whoever reads the story of a repair.
func Info(format string, values ...any) { write(info, format, values) }

// Warn writes a line: somebody should look at it today.
func Warn(format string, values ...any) { write(warn, format, values) }

// Error writes a line: something is wrong; the engine writes it as a warning.
func Error(format string, values ...any) { write(failure, format, values) }

func write(level level, format string, values []any) {
	message := format
	if len(values) > 0 {
		message = fmt.Sprintf(format, values...)
	}
	writeLine(level, strings.ReplaceAll(message, "\n", " "))
}
