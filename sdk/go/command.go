//go:build !rectifier_component

package policy

import (
	"fmt"
	"os"
)

// serve answers the one question that a command is called with.
func serve[S any](policy Policy[S]) {
	if err := policy.Answer(os.Args, os.Stdin, os.Stdout); err != nil {
		Error("%s", err)
		os.Exit(1)
	}
}

// writeLine writes a line that begins with its level, as commands do.
func writeLine(level level, line string) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", [...]string{"debug", "info", "warn", "error"}[level], line)
}
