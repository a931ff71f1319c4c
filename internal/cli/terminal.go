// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

type descriptor interface{ Fd() uintptr }

// IsTerminal reports whether a stream, usually an *os.File, is a terminal.
func IsTerminal(stream any) bool {
	file, ok := stream.(descriptor)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Confirm asks a question on out and reads y or N from in; anything but y or yes is
// a no. Without a terminal it does not ask: the error names the flag that answers.
func Confirm(in io.Reader, out io.Writer, question, flag string) (bool, error) {
	if !IsTerminal(in) {
		return false, &Error{
			Code: Usage,
			Err:  fmt.Errorf("cannot ask without a terminal: %s", question),
			Hint: "pass " + flag + " to answer yes",
		}
	}
	return ask(in, out, question)
}

func ask(in io.Reader, out io.Writer, question string) (bool, error) {
	if _, err := fmt.Fprintf(out, "%s [y/N] ", Printable(question)); err != nil {
		return false, err
	}
	line, err := bufio.NewReader(io.LimitReader(in, 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// Bytes writes a number of bytes for people: 512 B, 1.5 KiB, 9.3 MiB.
func Bytes(n int64) string {
	if n > -1024 && n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for (value >= 1023.95 || value <= -1023.95) && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

const units = "KMGTPE"
