// SPDX-License-Identifier: Apache-2.0

package diff

// isText reports whether hardly any byte of a sample of p is a control
// character other than those of lines.
func isText(p []byte) bool {
	const samples = 1 << 12
	step := len(p)/samples + 1
	controls, all := 0, 0
	for i := 0; i < len(p); i += step {
		all++
		if b := p[i]; b < ' ' && b != '\n' && b != '\r' && b != '\t' {
			controls++
		}
	}
	return controls <= all/64
}
