// SPDX-License-Identifier: Apache-2.0

// Package cli is what the commands waybill and fetch share towards a person at a
// terminal or a script: exit codes, errors with a hint, sizes for people, a progress
// bar and a question.
//
// A command returns an [*Error] that carries its exit code, and main hands it to
// [Fail]. The table behind [ExitCodes] is the only one; codes are only ever added.
package cli

import (
	"fmt"
	"slices"
	"strings"
)

// Exit codes of both commands.
const (
	OK           = 0
	Failure      = 1
	Usage        = 2
	Network      = 3
	Verification = 4
	Expired      = 5
	Unsigned     = 6
	KeyProblem   = 7
	Conflict     = 8
	Local        = 9
	Available    = 10
	Nothing      = 11
	Refused      = 12
	Differs      = 13
	RolledBack   = 14
	NoSuch       = 15
	Interrupted  = 130
)

// ExitCode is one line of the documented table. Class is the word that stands for
// the code in JSON.
type ExitCode struct {
	Code    int
	Class   string
	Meaning string
}

// ExitCodes is the table of exit codes, in order.
func ExitCodes() []ExitCode {
	return []ExitCode{
		{OK, "ok", "done, also when there was nothing to do"},
		{Failure, "failure", "any other failure"},
		{Usage, "usage", "wrong arguments or configuration"},
		{Network, "network", "network or storage trouble"},
		{Verification, "verification", "verification failed"},
		{Expired, "expired", "metadata has expired"},
		{Unsigned, "unsigned", "signatures are missing"},
		{KeyProblem, "key", "a key or its passphrase"},
		{Conflict, "conflict", "another publisher was faster"},
		{Local, "local", "local disk, lock or installation"},
		{Available, "available", "an update is available (only with --exit-code)"},
		{Nothing, "nothing", "nothing to do (only with --exit-code)"},
		{Refused, "refused", "refused by policy: pin, downgrade, minimum system, retracted"},
		{Differs, "differs", "installed files differ"},
		{RolledBack, "rolled-back", "installed, then rolled back"},
		{NoSuch, "no-such", "no such product, channel, platform or target"},
		{Interrupted, "interrupted", "interrupted"},
	}
}

// Class is the word for an exit code; an unknown code is a "failure".
func Class(code int) string {
	for _, line := range ExitCodes() {
		if line.Code == code {
			return line.Class
		}
	}
	return "failure"
}

// ExitHelp is the part of a verb's help about its exit status: the given codes and
// those that every verb has, in the order of the table.
func ExitHelp(codes ...int) string {
	codes = append(codes, OK, Failure, Usage, Interrupted)
	var b strings.Builder
	for _, e := range ExitCodes() {
		if slices.Contains(codes, e.Code) {
			fmt.Fprintf(&b, "  %-4d %s\n", e.Code, e.Meaning)
		}
	}
	return b.String()
}
