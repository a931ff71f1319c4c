// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
)

// profile writes where a child's time and allocations go, if a flag asks for it.
// A measurement that is profiled takes longer.
func profile(j *job) (finish func() error, err error) {
	if j.Settings.Profile == "" {
		return func() error { return nil }, nil
	}
	name := fmt.Sprintf("%s-%v-%d", strings.ReplaceAll(j.Kind, "/", "-"), slices.Max(append([]int{0}, j.Phase...)), os.Getpid())
	path := filepath.Join(j.Settings.Profile, name)
	cpu, err := os.Create(path + ".cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, errors.Join(err, cpu.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		allocated, err := os.Create(path + ".alloc")
		if err != nil {
			return errors.Join(err, cpu.Close())
		}
		return errors.Join(cpu.Close(), pprof.Lookup("allocs").WriteTo(allocated, 0), allocated.Close())
	}, nil
}
