// SPDX-License-Identifier: Apache-2.0

package diff

import "bytes"

const (
	runPeriod = 4 << 10
	runProbe  = 16
)

// longestRun estimates the length in bytes of the longest stretch of data that
// repeats with a period of at most 4 KiB. It finds every stretch of 12 KiB or
// more to within a few KiB, save those whose probe also repeats at a shorter
// distance, and takes linear time.
func longestRun(data []byte) int {
	longest := 0
	for at := runPeriod; at+runProbe <= len(data); at += runPeriod {
		before := data[at-runPeriod : at+runProbe-1]
		from := bytes.LastIndex(before, data[at:at+runProbe])
		if from < 0 {
			continue
		}
		period := runPeriod - from
		end := at
		for end < len(data) && data[end] == data[end-period] {
			end++
		}
		longest = max(longest, end-at+runPeriod)
		at = max(at, end-runPeriod)
	}
	return longest
}
