// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashfs

import "syscall"

// sys tells the number of names, which programs look at to find out whether a file is theirs alone.
func sys(i info) any {
	st := &syscall.Stat_t{}
	set(&st.Nlink, i.links)
	return st
}

// set exists because the field has another type on each system.
func set[T ~uint16 | ~uint32 | ~uint64](field *T, n int) { *field = T(n) }
