// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package bench

import (
	"os"
	"runtime"
	"syscall"
)

// peak is in bytes; macOS counts in bytes, the BSDs in KiB.
func peak(p *os.ProcessState) int64 {
	used, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(used.Maxrss)
	}
	return int64(used.Maxrss) << 10
}
