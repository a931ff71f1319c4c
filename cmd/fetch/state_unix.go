// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"net"
	"path/filepath"
	"runtime"
	"syscall"
)

// listenPrivate makes a socket that is this user's from the start. The umask is the whole
// process's: call it while nothing else makes files.
func listenPrivate(path string) (net.Listener, error) {
	defer syscall.Umask(syscall.Umask(0o177))
	return net.Listen("unix", path)
}

// userState is this user's folder for state, as the XDG base directory specification has it, or Apple's guidelines; empty
// if there is none.
func userState(env func(string) string) string {
	if dir := env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "waybill", "fetch")
	}
	home := env("HOME")
	switch {
	case !filepath.IsAbs(home):
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support", "waybill", "fetch")
	}
	return filepath.Join(home, ".local", "state", "waybill", "fetch")
}
