// SPDX-License-Identifier: Apache-2.0

package keys

import "strings"

// SplitReference splits a signer reference, such as "file:root.key", "env:NAME" or
// "awskms:///alias/release", at its first colon. A plain path has the scheme "". So
// has one that begins with a single letter and a colon, which is a Windows drive.
func SplitReference(ref string) (scheme, rest string) {
	before, after, found := strings.Cut(ref, ":")
	if !found || len(before) < 2 {
		return "", ref
	}
	for i, c := range before {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		other := '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !other) {
			return "", ref
		}
	}
	return before, after
}
