// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Limits of a target name, in bytes and parts. The last part is shorter than the
// others because a hash of 64 digits and a dot are put before it.
const (
	MaxName  = 1024
	MaxPart  = 255
	MaxLast  = 190
	MaxDepth = 32
)

// ErrName is wrapped by every refusal of [CheckName], [CheckRole] and [CheckObject].
var ErrName = errors.New("name not allowed")

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-"

// CheckName says whether a target may be published under this name: a relative
// path of [A-Za-z0-9._~-] parts separated by '/', within the limits of this
// package, that means the same file on every operating system. Names are refused,
// never cleaned.
func CheckName(target string) error {
	if target == "" {
		return fmt.Errorf("%w: it is empty", ErrName)
	}
	if len(target) > MaxName {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrName, len(target), MaxName)
	}
	parts := strings.Split(target, "/")
	if len(parts) > MaxDepth {
		return fmt.Errorf("%w: %q has %d parts, the limit is %d", ErrName, target, len(parts), MaxDepth)
	}
	for i, part := range parts {
		limit := MaxPart
		if i == len(parts)-1 {
			limit = MaxLast
		}
		if err := checkPart(part, limit); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrName, target, err)
		}
	}
	return nil
}

func checkPart(part string, limit int) error {
	switch {
	case part == "":
		return errors.New("an empty part")
	case part == "." || part == "..":
		return fmt.Errorf("the part %q", part)
	case len(part) > limit:
		return fmt.Errorf("a part of %d bytes, the limit is %d", len(part), limit)
	case strings.HasSuffix(part, "."):
		return fmt.Errorf("the part %q ends in a dot", part)
	case isDevice(part):
		return fmt.Errorf("the part %q is a device on Windows", part)
	}
	for _, r := range part {
		if !strings.ContainsRune(nameCharacters, r) {
			return fmt.Errorf("the character %q", r)
		}
	}
	return nil
}

// isDevice reports the names that Windows reserves in every folder, whatever
// extension follows. Superscript digits count as digits there.
func isDevice(part string) bool {
	base, _, _ := strings.Cut(part, ".")
	base = strings.ToLower(strings.TrimRight(base, " "))
	switch base {
	case "con", "prn", "aux", "nul", "conin$", "conout$", "clock$":
		return true
	}
	number, found := strings.CutPrefix(base, "com")
	if !found {
		number, found = strings.CutPrefix(base, "lpt")
	}
	runes := []rune(number)
	return found && len(runes) == 1 && strings.ContainsRune("0123456789\u00b9\u00b2\u00b3", runes[0])
}

// CheckRole says whether a delegated role may have this name: [a-z0-9-]{1,32}, none
// of the four top-level roles, no device on Windows.
func CheckRole(name string) error {
	if name == "" || len(name) > 32 {
		return fmt.Errorf("%w: role %q: 1 to 32 characters are needed", ErrName, name)
	}
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-", r) {
			return fmt.Errorf("%w: role %q: the character %q", ErrName, name, r)
		}
	}
	switch name {
	case "root", "targets", "snapshot", "timestamp":
		return fmt.Errorf("%w: role %q is a top-level role", ErrName, name)
	}
	if isDevice(name) {
		return fmt.Errorf("%w: role %q is a device on Windows", ErrName, name)
	}
	return nil
}

// Fold maps target names that some file systems hold for one name to one string.
// A publisher refuses a name whose fold equals that of another name.
func Fold(target string) string { return strings.ToLower(target) }

// CheckObject says whether an object name, percent-escapes and all, stays inside
// the repository wherever it is put after a URL or a folder: relative, no empty
// part, no "." or ".." part, no backslash, no control character, escaped or not.
// It is weaker than [CheckName], since other people's repositories are read too.
func CheckObject(object string) error {
	if object == "" || len(object) > 4*MaxName {
		return fmt.Errorf("%w: an object name of %d bytes", ErrName, len(object))
	}
	for part := range strings.SplitSeq(object, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return fmt.Errorf("%w: object %q: %w", ErrName, object, err)
		}
		if plain == "" || plain == "." || plain == ".." {
			return fmt.Errorf("%w: object %q: the part %q", ErrName, object, part)
		}
		if i := strings.IndexFunc(plain, unsafeRune); i >= 0 {
			return fmt.Errorf("%w: object %q: an unsafe character in %q", ErrName, object, part)
		}
		if i := strings.IndexFunc(part, needsEscape); i >= 0 {
			return fmt.Errorf("%w: object %q: a character that a URL path has only escaped", ErrName, object)
		}
	}
	return nil
}

// needsEscape is true for what no URL path holds as it is. Package url undoes the escapes of a path that has such a
// character and makes them anew, so that an escaped slash would become a real one.
func needsEscape(r rune) bool {
	plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~!$&'()*+,;=:@%", r)
	return !plain
}

func unsafeRune(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' }
