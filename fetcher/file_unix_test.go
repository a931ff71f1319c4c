// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import "syscall"

const notSameDevice = syscall.EXDEV
