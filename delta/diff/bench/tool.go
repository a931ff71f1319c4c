// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"os/exec"
	"slices"
	"time"

	"github.com/waybill-project/waybill/delta/diff"
)

// Command is a program and its arguments.
type Command []string

// Job is what a tool works on: paths, and the hashes in hex. Patch and Result
// do not exist before.
type Job struct {
	Old, New, Patch, Result string
	OldSHA256, NewSHA256    string
	Timeout                 time.Duration
}

// Tool makes patches and applies them, each by one or more commands in order.
type Tool struct {
	Name     string   // of letters, digits and dashes, as is
	Variant  string   // the level or the options; may be empty
	Programs []string // found on the path, if the tool is installed

	Make, Apply func(Job) []Command
}

// String is the name and the variant.
func (t Tool) String() string {
	if t.Variant == "" {
		return t.Name
	}
	return t.Name + "-" + t.Variant
}

// Missing are the programs of the tool that are not on the path.
func (t Tool) Missing() (missing []string) {
	for _, p := range t.Programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	return missing
}

// Ours is the program waybill at a path with a format at a level. More arguments,
// such as "--memory" and "4GiB", go to "delta make". It is told the hashes that
// an endpoint knows, so that it checks what fetch checks and no more.
func Ours(waybill, format string, level diff.Level, args ...string) Tool {
	return Tool{
		Name: format, Variant: level.String(),
		Make: func(j Job) []Command {
			return []Command{slices.Concat(Command{waybill, "delta", "make", j.Old, j.New, "-o", j.Patch,
				"--format", format, "--level", level.String(), "--timeout", j.Timeout.String()}, args)}
		},
		Apply: func(j Job) []Command {
			return []Command{{waybill, "delta", "apply", j.Old, j.Patch, "-o", j.Result, "--base-sha256", j.OldSHA256, "--sha256", j.NewSHA256}}
		},
	}
}
